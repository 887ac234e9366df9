"""From a `Source` to the folder of an encoded data set: read, fit, encode, each in one pass of bounded memory."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from nas_fusion.data.encoded_dataset import FORMAT_VERSION, array_file, vocabulary_file
from nas_fusion.data.encoding.encoded_files import ArrayWriter, file_record, write_schema
from nas_fusion.data.encoding.field_rules import field_rules
from nas_fusion.data.encoding.fitting import Encoder, make_encoder
from nas_fusion.data.encoding.scan import SPLITS, Progress, Scan, scan
from nas_fusion.data.schema import MISSING_ID, UNKNOWN_ID, FieldKind, Schema
from nas_fusion.data.sources.arrow_columns import ColumnError
from nas_fusion.data.sources.source import Source
from nas_fusion.settings import DataOptions

logger = logging.getLogger("nas_fusion")


def encode(source: Source, options: DataOptions, fingerprint: str, folder: Path, progress: Progress) -> None:
    """Write the encoded data set into an existing, empty folder.

    Raises:
        DataError: the log cannot be used.
        OSError: the disk is full, for instance.
    """
    found = scan(source, options, progress)
    reserved = frozenset(c for c in (found.label, found.split_column) if c is not None)
    rules = field_rules(source, options, reserved)
    encoders = [make_encoder(name, rule, options.min_count) for name, rule in rules.items()]
    _fit(source, encoders, found, options, progress)
    schema = Schema(tuple(e.field for e in encoders), found.label)
    writers = SplitWriters(folder, schema, found)
    with writers:
        _transform(source, encoders, found, writers, progress)
    content = {
        "format": FORMAT_VERSION,
        "name": source.name,
        "fingerprint": fingerprint,
        "source": source.kind,
        "options": options.to_dict(),
        "split_column": found.split_column,
        "schema": schema.to_dict(),
        "splits": writers.records(),
        "vocabularies": _write_vocabularies(folder, encoders),
        "attainable_auc": found.attainable_auc,
        "statistics": {"fields": [_statistics(e, writers, i) for i, e in enumerate(encoders)]},
    }
    write_schema(folder, content)


def _fit(source: Source, encoders: list[Encoder], found: Scan, options: DataOptions, progress: Progress) -> None:
    """The second reading: vocabularies, moments and quantiles."""
    row, total = 0, len(found.codes)
    for batch in source.batches([e.name for e in encoders]):
        codes = found.codes[row : row + batch.num_rows]
        _check_length(source, row + batch.num_rows, total)
        rows = np.ones(len(codes), bool) if options.vocabulary_rows == "all" else codes == 0
        for encoder in encoders:
            try:
                encoder.observe(batch.column(encoder.name), rows)
            except ColumnError as error:
                raise source.column_error(error, encoder.name, row) from error
        row += batch.num_rows
        progress("count", row / total)
    for encoder in encoders:
        encoder.finish()
        if encoder.distinct + bool(encoder.fit_missing) < 2:
            logger.warning("field %r has only one value in the training rows; it cannot help", encoder.name)


def _transform(source: Source, encoders: list[Encoder], found: Scan, writers: SplitWriters, progress: Progress) -> None:
    """The third reading: every chunk becomes ids and values, and goes to its splits."""
    row, total = 0, len(found.codes)
    for batch in source.batches([e.name for e in encoders]):
        end = row + batch.num_rows
        _check_length(source, end, total)
        ids = np.empty((batch.num_rows, len(encoders)), np.int32)
        values = []
        for position, encoder in enumerate(encoders):
            try:
                ids[:, position], scaled = encoder.encode(batch.column(encoder.name))
            except ColumnError as error:
                raise source.column_error(error, encoder.name, row) from error
            if scaled is not None:
                values.append(scaled)
        stacked = np.stack(values, axis=1) if values else None
        writers.append(found.codes[row:end], ids, stacked, found.labels[row:end])
        row = end
        progress("encode", row / total)


def _write_vocabularies(folder: Path, encoders: list[Encoder]) -> dict[str, Any]:
    records = {}
    for position, encoder in enumerate(encoders):
        if encoder.vocabulary is not None:
            file = vocabulary_file(folder, position)
            pyarrow.parquet.write_table(pa.table({"value": encoder.vocabulary.values}), file)
            records[file.name] = file_record(file)
    return records


def _check_length(source: Source, rows: int, total: int) -> None:
    if rows > total:
        raise source.error(f"the log grew while it was read: more than {total} rows")


class SplitWriters:
    """The arrays of the three splits while they are written, with the counts that `describe` tells.

    Args:
        folder: where they go.
        schema: of the data set.
        found: says how many rows each split has.
    """

    def __init__(self, folder: Path, schema: Schema, found: Scan) -> None:
        fields, scaled = len(schema.fields), len(schema.value_fields)
        self._writers: dict[str, dict[str, ArrayWriter]] = {}
        self._positives = {name: int(found.labels[found.codes == code].sum()) for code, name in enumerate(SPLITS)}
        self._closed: dict[str, Any] = {}
        self.rows = {name: int((found.codes == code).sum()) for code, name in enumerate(SPLITS)}
        self.missing = {name: np.zeros(fields, np.int64) for name in SPLITS}
        self.unknown = {name: np.zeros(fields, np.int64) for name in SPLITS}
        self._has_unknown = np.array([f.kind is not FieldKind.SCALED for f in schema.fields])
        self._stack = ExitStack()
        with ExitStack() as stack:  # closes what is open already if one cannot be made
            for name, rows in self.rows.items():
                arrays = {"ids": (np.int32, (rows, fields)), "labels": (np.float32, (rows,))}
                if scaled:
                    arrays["values"] = (np.float32, (rows, scaled))
                self._writers[name] = {
                    array: stack.enter_context(ArrayWriter(array_file(folder, name, array), dtype, shape))
                    for array, (dtype, shape) in arrays.items()
                }
            self._stack = stack.pop_all()

    def append(
        self,
        codes: npt.NDArray[np.int8],
        ids: npt.NDArray[np.int32],
        values: npt.NDArray[np.float32] | None,
        labels: npt.NDArray[np.int8],
    ) -> None:
        """Send the rows of one chunk to their splits."""
        for code, name in enumerate(SPLITS):
            rows = np.flatnonzero(codes == code)
            writers, chosen = self._writers[name], ids[rows]
            writers["ids"].append(chosen)
            writers["labels"].append(labels[rows])
            if values is not None:
                writers["values"].append(values[rows])
            self.missing[name] += (chosen == MISSING_ID).sum(axis=0)
            self.unknown[name] += (chosen == UNKNOWN_ID).sum(axis=0) * self._has_unknown

    def records(self) -> dict[str, Any]:
        """What ``schema.json`` says about the splits."""
        return self._closed

    def __enter__(self) -> SplitWriters:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if kind is not None:
                return
            for name, writers in self._writers.items():
                arrays = {array: writer.close() for array, writer in writers.items()}
                self._closed[name] = {"rows": self.rows[name], "positives": self._positives[name], "arrays": arrays}


def _statistics(encoder: Encoder, writers: SplitWriters, position: int) -> dict[str, Any]:
    return {
        "distinct": encoder.distinct,
        "top_share": encoder.top_count / encoder.fit_rows if encoder.fit_rows else 0.0,
        "missing": {name: int(writers.missing[name][position]) for name in SPLITS},
        "unknown": {name: int(writers.unknown[name][position]) for name in SPLITS},
    }
