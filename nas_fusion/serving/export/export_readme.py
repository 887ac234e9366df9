"""What the README of an exported model says."""

from __future__ import annotations

from collections.abc import Mapping

from nas_fusion.errors import plain
from nas_fusion.serving.export.encoding_map import reference_files
from nas_fusion.serving.export.export_check import Compared
from nas_fusion.serving.export.export_formats import ExportFormat
from nas_fusion.serving.export.made_up_rows import Row
from nas_fusion.serving.saved_model import SavedModel

TEMPLATE = """# {title}, as {format}

A click-through-rate model, exported by nas-fusion. It is served without nas-fusion: {needs}.

```python
{example}
```

Run it in this folder; it scores the rows of `check.json`, which are made up, and prints how far the scores are from the
model's own. A row is a dictionary of texts, numbers, lists, or `None` where there is nothing:

```python
{row}
```

## What goes in and what comes out

| | name | type | shape |
|---|---|---|---|
| input | `ids` | int64 | [rows, {id_columns}] |
{values}| output | `probability` | float32 | [rows] |
| output | `logit` | float32 | [rows] |

The number of rows is free. Rows need these columns: {columns}.{reader}

## Files

| file | what it is |
|---|---|
| `{file}` | the model |
| `encoding/encoding.json` | how the cells of every column become which columns of the inputs |
| `encoding/vocabularies/` | values with ids, as JSON and as Parquet: the first one has 2; unknown is 1, missing 0 |
| {encoder} | a reference encoder that needs numpy alone; rewrite it in the language of your service |
| `check.json` | made-up rows, the inputs that they become, and the model's own scores: a test for such a rewrite |

When this was written, {rows:,} made-up rows were encoded and scored by what lies here, in batches of {sizes}, and
compared with the model itself. Ids and values were the same; probabilities differed by at most {worst:.1e}.
"""

_EXAMPLE = """import json

{imports}
from encoder import Encoder

encoder = Encoder("encoding")
model = {opened}

with open("check.json", encoding="utf-8") as file:
    check = json.load(file)
ids, values = encoder(check["rows"])
probability, logit = {called}
print(float(abs(probability - {expected}).max()))"""

_CALLS: Mapping[str, Mapping[str, str]] = {
    "onnx": {
        "imports": "import numpy as np\nimport onnxruntime",
        "opened": 'onnxruntime.InferenceSession("model.onnx")',
        "called": 'model.run(None, {"ids": ids, "values": values})',
        "expected": 'np.array(check["probability"])',
    },
    "torch-export": {
        "imports": "import torch",
        "opened": 'torch.export.load("model.pt2").module()',
        "called": "model(torch.from_numpy(ids), torch.from_numpy(values))",
        "expected": 'torch.tensor(check["probability"])',
    },
    "torchscript": {
        "imports": "import torch",
        "opened": 'torch.jit.load("model.ts.pt")',
        "called": "model(torch.from_numpy(ids), torch.from_numpy(values))",
        "expected": 'torch.tensor(check["probability"])',
    },
}

_WITHOUT_VALUES = (', "values": values', ", torch.from_numpy(values)")

SHOWN_COLUMNS = 6
"""Of the row that is shown."""

_NEEDS = {
    "onnx": "ONNX Runtime and numpy are enough",
    "torch-export": "torch is enough",
    "torchscript": "torch is enough",
}

_VALUES = "| input | `values` | float32 | [rows, {value_columns}] |\n"

_FEATURES = " `field1` is a line's first feature: its value where the field is a number, else its index."

_READERS = {
    "avazu": " `hour_of_day`, `weekday` (Monday is 0) and `is_weekend` (0, 1) come from the log's `hour`.",
    "libsvm": _FEATURES,
    "libffm": _FEATURES,
}
"""What the reader of a format makes of its lines."""


def readme(model: SavedModel, chosen: ExportFormat, row: Row, compared: Compared) -> str:
    """The text, in Markdown.

    Args:
        model: that was exported.
        chosen: the format.
        row: an example.
        compared: what the check found.
    """
    schema, values = model.schema, len(model.schema.value_fields)
    return TEMPLATE.format(
        title=plain(model.manifest.title),
        format=chosen.name,
        needs=_NEEDS[chosen.name],
        example=_example(chosen.name, has_values=bool(values)),
        row=_python(row),
        id_columns=schema.id_columns,
        values=_VALUES.format(value_columns=values) if values else "",
        columns=", ".join(f"`{plain(name)}`" for name in schema.columns),
        reader=_READERS.get(model.manifest.log.form.format, ""),
        file=chosen.file,
        encoder=", ".join(f"`{name}`" for name in reference_files(model.encoding)),
        rows=compared.rows,
        sizes=", ".join(map(str, compared.batch_sizes)),
        worst=compared.worst,
    )


def _example(format: str, *, has_values: bool) -> str:
    example = _EXAMPLE.format(**_CALLS[format])
    for part in () if has_values else _WITHOUT_VALUES:
        example = example.replace(part, "")
    return example


def _python(row: Row) -> str:
    """The beginning of a row as Python writes it, in ASCII: that shows whatever a log has named its columns."""
    cells = [f"{name!a}: {cell!a}" for name, cell in row.items()]
    return "{" + ", ".join(cells[:SHOWN_COLUMNS]) + (", ...}" if len(cells) > SHOWN_COLUMNS else "}")
