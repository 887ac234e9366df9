"""How rows become ids and values, as files that any language reads: JSON, and Parquet for the vocabularies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.data.encoding.kinds import Rule
from nas_fusion.data.schema import CellPart, Field, FieldKind
from nas_fusion.data.sources import CellRules
from nas_fusion.data.times import CLOCK_PATTERN, DATE_PATTERNS, TimeForm
from nas_fusion.errors import WriteError
from nas_fusion.serving.export import reference
from nas_fusion.system.files import write_text

MAP_FORMAT = 1
"""Of ``encoding.json``."""

MAP = "encoding.json"
ENCODING = "encoding"
"""The folder."""

ABOVE = {Rule.LOG: 2, Rule.LOG_PUBLISHED: 0}
"""How much the logarithmic buckets are moved up (`nas_fusion.data.encoding.numeric.log_bucket`)."""


def write_encoding_map(folder: Path, encoding: FittedEncoding, rules: CellRules) -> None:
    """Write ``encoding/`` and the reference encoder into a folder.

    Args:
        folder: of the exported model.
        encoding: of the model.
        rules: how its cells that are text are read.

    Raises:
        WriteError: it cannot be written.
    """
    place = folder / ENCODING
    try:
        (place / "vocabularies").mkdir(parents=True)
        for number, vocabulary in enumerate(encoding.vocabularies):
            if vocabulary is not None:
                values = vocabulary.values
                pyarrow.parquet.write_table(pa.table({"value": values}), place / _vocabulary(number, "parquet"))
                write_text(place / _vocabulary(number, "json"), json.dumps(values.to_pylist(), ensure_ascii=False))
        write_text(place / MAP, json.dumps(encoding_map(encoding, rules), indent=1, ensure_ascii=False) + "\n")
        for name in reference_files(encoding):
            shutil.copyfile(Path(*reference.__path__) / name, folder / name)
    except OSError as error:
        raise WriteError(place, error.strerror or error) from error


def encoding_map(encoding: FittedEncoding, rules: CellRules) -> dict[str, Any]:
    """What ``encoding.json`` says: plain values."""
    schema = encoding.schema
    return {
        "format": MAP_FORMAT,
        "columns": list(schema.columns),
        "marks": list(rules.marks),
        "decimal": rules.decimal,
        "id_columns": schema.id_columns,
        "value_columns": len(schema.value_fields),
        "fields": list(_fields(encoding)),
    }


def reference_files(encoding: FittedEncoding) -> tuple[str, ...]:
    """The files of the reference encoder that an encoding needs."""
    found = ["encoder.py"]
    if any(field.kind is FieldKind.HASHED for field in encoding.schema.fields):
        found.append("encoder_hashes.py")
    if any(_is_of_time(field) for field in encoding.schema.fields):
        found.append("encoder_times.py")
    return tuple(found)


def _fields(encoding: FittedEncoding) -> Iterator[dict[str, Any]]:
    id_column, value_columns = 0, {field: place for place, field in enumerate(encoding.schema.value_fields)}
    for number, encoder in enumerate(encoding.encoders):
        field = encoder.field
        yield {
            "name": field.name,
            "column": field.column,
            "kind": _kind(field),
            "part": field.part.value,
            "size": field.size,
            "id_column": id_column,
            "value_column": value_columns.get(number),
            "vocabulary": None if encoder.vocabulary is None else _vocabulary(number, "json"),
            **_kind_values(field),
        }
        id_column += field.columns


_KINDS = {
    FieldKind.CATEGORICAL: "categorical",
    FieldKind.HASHED: "hashed",
    FieldKind.BUCKETED: "binned",
    FieldKind.INTERPOLATED: "binned",
    FieldKind.SCALED: "scaled",
    FieldKind.LIST: "listed",
}


def _kind(field: Field) -> str:
    """What the reference encoder calls it."""
    if field.kind is FieldKind.BUCKETED and field.buckets != Rule.BINS:
        return "log_bucketed"
    return _KINDS[field.kind]


def _kind_values(field: Field) -> Mapping[str, Any]:
    """What a field of this kind, or this part of a cell, needs beside what all have."""
    found: dict[str, Any] = {}
    kind = _kind(field)
    if kind in ("categorical", "hashed"):
        found["whole"] = field.cells.whole
    elif kind == "listed":
        found["columns"] = field.columns
    elif kind == "scaled":
        found |= {"mean": field.mean, "std": field.std}
    elif kind == "log_bucketed":
        found["above"] = ABOVE[Rule(field.buckets)]
    elif kind == "binned":
        found |= {"knots": field.knots, "exact": field.exact}
    if kind == "listed" or field.part is CellPart.LENGTH:
        found["delimiter"] = field.cells.delimiter
    elif _is_of_time(field):
        found |= {"time": field.cells.time, "start": field.cells.start, "patterns": _patterns(field)}
    elif field.is_number:
        found["odd_allowed"] = field.cells.odd_allowed
    return found


def _is_of_time(field: Field) -> bool:
    return field.part in (CellPart.HOUR, CellPart.WEEKDAY, CellPart.DAY)


def _patterns(field: Field) -> list[str]:
    form = TimeForm(field.cells.time)
    if form is TimeForm.CLOCK:
        return [CLOCK_PATTERN]
    return list(DATE_PATTERNS) if form in (TimeForm.TIMESTAMP, TimeForm.YMD, TimeForm.MDY, TimeForm.DMY) else []


def _vocabulary(field: int, suffix: str) -> str:
    return f"vocabularies/{field}.{suffix}"
