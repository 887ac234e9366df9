"""What the README of a saved model says."""

from __future__ import annotations

from nas_fusion.data import Schema
from nas_fusion.errors import listed, plain
from nas_fusion.serving.model_manifest import ModelManifest

TEMPLATE = """# {title}

A click-through-rate model, made by nas-fusion {version} on {created}. This folder needs nothing else: move it, zip it,
or copy it to another machine. It holds no code and no pickle, so that opening it runs nothing.

| what | |
|---|---|
| model | {design} |
| trained on | {log}: {rows} |
| share of clicks | {label_rate:.4f} |
{metrics}| size | {size:,} |

## Score rows

```python
import nas_fusion

model = nas_fusion.load("{place}")
scores = model.scores("rows.parquet")     # or a pandas, polars or Arrow table: probability of a click per row
```

On the command line: `nasfusion predict {place} rows.parquet --out scores.parquet`.

Rows need these columns, in any order; others are ignored, and a label is not needed: {columns}.

## Files

| file | what it is |
|---|---|
| `model.json` | design, space, recipe, how the log was read, metrics, versions, a checksum of every file |
| `schema.json` | the fields, and how each is encoded |
| `vocabularies/` | the values that have ids, a Parquet file per field; the first one's id is 2; an index of many |
| `profile.json` | what the cells of every field were like in training, to tell how far later rows are from them |
| `weights.safetensors` | what was learnt |
{drawing}"""

DRAWN = "| `design.json`, `design.svg` | the design, to be used again, and drawn |\n"


def readme(manifest: ModelManifest, schema: Schema) -> str:
    """The text, in Markdown."""
    rows = manifest.log.rows
    metrics = "".join(
        f"| {split} {name} | {value:.6g} |\n"
        for split, found in manifest.metrics.items()
        for name, value in found.items()
    )
    return TEMPLATE.format(
        title=plain(manifest.title),
        version=manifest.versions.get("nas-fusion", "of an unknown version"),
        created=manifest.created or "an unknown day",
        design=_cell(str(manifest.design)) + (", soft" if manifest.mode == "soft" else ""),
        log=_cell(manifest.log.name),
        rows=f"{rows[0]:,} training, {rows[1]:,} validation and {rows[2]:,} test rows",
        label_rate=manifest.log.label_rate,
        metrics=metrics,
        size=manifest.size,
        place="model",
        columns=listed(f"`{plain(name)}`" for name in schema.columns),
        drawing=DRAWN if manifest.is_design else "",
    )


def _cell(text: str) -> str:
    return plain(text).replace("|", "\\|")
