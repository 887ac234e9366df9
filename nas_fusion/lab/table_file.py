"""The file of a table: Parquet, one row for every log, design, seed and epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nas_fusion.errors import DamagedFileError, plain
from nas_fusion.system.files import new_file

COLUMNS: Mapping[str, pa.DataType] = {
    "log": pa.string(),
    "code": pa.int32(),
    "seed": pa.int32(),
    "epoch": pa.int16(),
    "valid_auc": pa.float32(),
    "test_auc": pa.float32(),
    "seconds": pa.float32(),
    "weights": pa.int32(),
    "multiply_adds": pa.int32(),
}
"""Name and type of every column. `code`: `nas_fusion.search_spaces.design_code`; `epoch`: from 1; `seconds`: of this
epoch, its share of what its stack took; `weights`: embeddings included; `multiply_adds`: per row."""

_SCHEMA = pa.schema(list(COLUMNS.items()))
_ORDER = ("log", "code", "seed", "epoch")
_FACTS = b"nas_fusion.table"
_FLOATS = [name for name, kind in COLUMNS.items() if pa.types.is_floating(kind)]


def write_figures(path: Path, figures: pa.Table, facts: Mapping[str, Any]) -> None:
    """Write figures, in the order of log, design, seed and epoch.

    Args:
        path: the file; it appears whole or not at all.
        figures: with the columns of `COLUMNS`.
        facts: log → how its figures came about, as plain values.

    Raises:
        WriteError: the file cannot be written.
    """
    ordered = figures.select(list(COLUMNS)).cast(_SCHEMA).sort_by([(name, "ascending") for name in _ORDER])
    marked = ordered.replace_schema_metadata({_FACTS: json.dumps(facts, sort_keys=True)})
    with new_file(path) as temporary:
        pq.write_table(
            marked, temporary, compression="zstd", compression_level=19,
            use_dictionary=[name for name in COLUMNS if name not in _FLOATS], use_byte_stream_split=_FLOATS,
        )  # fmt: skip


def read_figures(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """The figures of a file, and its facts by log.

    Raises:
        DamagedFileError: it is missing, is no table of designs, or lacks a column.
    """
    try:
        figures = pq.read_table(path)
        facts = json.loads((figures.schema.metadata or {})[_FACTS])
    except FileNotFoundError as error:
        raise DamagedFileError(path, "the file is missing") from error
    except KeyError as error:
        raise DamagedFileError(path, "no table of designs: its facts are missing") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DamagedFileError(path, f"no Parquet table can be read from it ({plain(str(error))})") from error
    missing = [name for name in COLUMNS if name not in figures.column_names]
    if missing:
        raise DamagedFileError(path, f"no table of designs: column {missing[0]!r} is missing")
    for name, kind in COLUMNS.items():
        found = figures.schema.field(name).type
        if found != kind:
            raise DamagedFileError(path, f"column {name!r} must be {kind}, found {found}")
    return figures, facts


def merge_tables(paths: Sequence[Path], out: Path) -> None:
    """Put the tables of several logs into one file.

    Raises:
        DamagedFileError: a file is no table, or has a log that another one has.
        WriteError: the file cannot be written.
    """
    parts: list[pa.Table] = []
    facts: dict[str, Any] = {}
    for path in paths:
        figures, known = read_figures(path)
        again = sorted(facts.keys() & known.keys())
        if again:
            raise DamagedFileError(path, f"figures of the log {again[0]!r} stand in an earlier file, too")
        parts.append(figures)
        facts.update(known)
    write_figures(out, pa.concat_tables(parts), facts)
