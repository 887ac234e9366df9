"""What a notebook shows of a saved model: plain HTML without scripts."""

from __future__ import annotations

import base64
import html

from nas_fusion.data import Schema
from nas_fusion.errors import DamagedFileError, harmless
from nas_fusion.serving.model_files import DRAWING, model_files
from nas_fusion.serving.model_manifest import ModelManifest

MOST_COLUMNS = 40
"""That are named."""


def model_view(path: object, manifest: ModelManifest, schema: Schema) -> str:
    """A model's title, log, metrics, what rows need, and its design as a picture.

    Args:
        path: where it lies, for people.
        manifest: what it is.
        schema: its fields.
    """
    log = manifest.log
    train, valid, test = log.rows
    rows = {
        "trained on": f"{log.name}: {train:,} / {valid:,} / {test:,} rows",
        **{f"{split} {name}": f"{value:.6g}" for split, of in manifest.metrics.items() for name, value in of.items()},
        "rows need": _columns(schema.columns),
        "folder": str(path),
    }
    lines = "".join(
        f"<tr><th style='text-align: left'>{_text(name)}</th><td style='text-align: left'>{_text(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<p><b>{_text(manifest.title)}</b></p><table>{lines}</table>"


def drawing_view(path: object, manifest: ModelManifest) -> str:
    """The drawing of its design, as a picture, in which no script runs; empty where there is none."""
    if DRAWING not in manifest.files:
        return ""
    try:
        drawn = model_files(str(path)).text(DRAWING)
    except DamagedFileError:
        return ""  # somebody has taken it away since it was opened; the model itself is here
    data = base64.b64encode(drawn.encode()).decode()
    return f"<img alt='design' style='max-width: 100%' src='data:image/svg+xml;base64,{data}'>"


def _columns(columns: tuple[str, ...]) -> str:
    more = f" and {len(columns) - MOST_COLUMNS} more" if len(columns) > MOST_COLUMNS else ""
    return ", ".join(columns[:MOST_COLUMNS]) + more


def _text(value: str) -> str:
    return html.escape(harmless(value))
