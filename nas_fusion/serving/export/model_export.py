"""`export_model`: a saved model as a folder that is served without nas-fusion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_fusion.bounds import one_of
from nas_fusion.data.encoding import EncodedRows
from nas_fusion.errors import OptionError
from nas_fusion.serving.export.encoding_map import ENCODING, write_encoding_map
from nas_fusion.serving.export.export_check import (
    TOLERANCE,
    Compared,
    ExportError,
    compare_encoding,
    compare_scores,
    inputs_of,
)
from nas_fusion.serving.export.export_formats import EXPORT_FORMATS, ExportFormat, quiet_exporters
from nas_fusion.serving.export.export_readme import readme
from nas_fusion.serving.export.made_up_rows import Row, chunk_of_rows, made_up_rows
from nas_fusion.serving.export.scored_module import ScoredModule, example_inputs
from nas_fusion.serving.saved_model import SavedModel
from nas_fusion.system.files import new_folder, write_text
from nas_fusion.system.places import check_folder_place
from nas_fusion.training import WholeModel, probabilities

CHECKED_ROWS = 256
"""Made up for the check."""

SHOWN_ROWS = 20
"""Of these, so many are written into ``check.json``."""

CHECK = "check.json"
README = "README.md"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        folder: where it lies.
        file: the model in it.
        compared: what the check found.
    """

    folder: Path
    file: Path
    compared: Compared


def export_model(model: SavedModel, format: str, folder: str | Path) -> Exported:
    """Write a model in a format that is served without nas-fusion, with its encoding, an encoder and an example.

    It is compared with the model itself first; if the two differ, nothing is written.

    Args:
        model: an opened one.
        format: one of `EXPORT_FORMATS`.
        folder: a new one, or one to replace.

    Raises:
        OptionError: no such format, the model is no network, or something else lies in the folder.
        MissingPackageError: a package that the format needs is not installed.
        ExportError: the exporter fails, or what it wrote gives other scores.
        WriteError: the folder cannot be written.
    """
    one_of("format", format, tuple(EXPORT_FORMATS))
    chosen = EXPORT_FORMATS[format]
    if isinstance(model.module, WholeModel):
        raise OptionError("model", f"a network; {model.module.carried_by}", model.manifest.title)
    _check_folder(Path(folder))
    chosen.check_packages()
    rules = model.manifest.log.form.rules
    rows = made_up_rows(model.encoding, CHECKED_ROWS)
    encoded = model.encoding.encode(chunk_of_rows(model.encoding, rows, rules))
    with new_folder(folder) as place:
        _write_network(model, chosen, place)
        write_encoding_map(place, model.encoding, rules)
        compare_encoding(place, rows, encoded)
        with quiet_exporters(place):
            compared = compare_scores(model, chosen.open(place), encoded)
        write_text(place / CHECK, json.dumps(_check(model, rows, encoded, compared), ensure_ascii=False) + "\n")
        write_text(place / README, readme(model, chosen, rows[0], compared))
    return Exported(Path(folder), Path(folder) / chosen.file, compared)


def _check_folder(folder: Path) -> None:
    """What is replaced must be an exported model, not somebody's home."""
    check_folder_place("out", folder)
    if folder.is_dir() and any(folder.iterdir()) and not ((folder / CHECK).is_file() and (folder / ENCODING).is_dir()):
        raise OptionError("out", "a new folder, or one with an exported model, which is replaced", str(folder))


def _write_network(model: SavedModel, chosen: ExportFormat, place: Path) -> None:
    inputs = example_inputs(model.schema.field_shapes)
    try:
        with quiet_exporters(place):
            chosen.write(ScoredModule(model.module), inputs, place)
    except RuntimeError as error:
        raise ExportError(f"{model.manifest.title} cannot be written as {chosen.name}: {error}") from error


def _check(model: SavedModel, rows: Sequence[Row], encoded: EncodedRows, compared: Compared) -> dict[str, Any]:
    """What ``check.json`` says: rows, what they become, our scores, and how far the exported model's were off."""
    shown = encoded.part(slice(SHOWN_ROWS))
    arrays = inputs_of(shown)
    return {
        "rows": list(rows[:SHOWN_ROWS]),
        "ids": arrays[0].tolist(),
        "values": arrays[1].tolist() if len(arrays) > 1 else None,
        "probability": probabilities(model.encoded_logits(shown)).tolist(),
        "worst_difference": compared.worst,
        "checked_rows": compared.rows,
        "batch_sizes": list(compared.batch_sizes),
        "tolerance": TOLERANCE,
    }
