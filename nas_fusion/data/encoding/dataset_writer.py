"""The third reading: the rows become ids and values and go to the arrays of their splits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.column_plans import ColumnPlan
from nas_fusion.data.encoding.encoded_files import (
    FORMAT_VERSION,
    ArrayWriter,
    array_file,
    write_schema,
    write_vocabulary,
)
from nas_fusion.data.encoding.field_warnings import UnknownCells, unknown_warning
from nas_fusion.data.encoding.fitted_encoding import EncodedRows
from nas_fusion.data.encoding.fitting import Fit
from nas_fusion.data.encoding.kinds import FieldCounts
from nas_fusion.data.encoding.scan import Progress, Scan
from nas_fusion.data.schema import MISSING_ID, SPLITS, Schema
from nas_fusion.data.sources.chunk import chunks_of
from nas_fusion.data.sources.source import Source
from nas_fusion.settings import DataOptions

TEST = SPLITS[-1]


def write_dataset(
    source: Source,
    scan: Scan,
    columns: Sequence[ColumnPlan],
    fit: Fit,
    folder: Path,
    *,
    fingerprint: str,
    options: DataOptions,
    progress: Progress,
) -> None:
    """Write an encoded data set into an existing, empty folder.

    Args:
        source: the log.
        scan: says which split every row belongs to.
        columns: what they are read as.
        fit: the encoding, with what was counted.
        folder: where to.
        fingerprint: of the log's content and the options.
        options: as they are to be recorded.
        progress: told the share of the rows after every chunk.

    Raises:
        DataError: the log cannot be used, or was changed since it was scanned.
        OSError: the disk is full, for instance.
    """
    schema = fit.encoding.schema
    writers = SplitWriters(folder, schema, scan)
    with writers:
        for chunk in chunks_of(source, fit.encoding.columns, most=scan.rows):
            writers.append(chunk.span, fit.encoding.encode(chunk))
            progress("encode", chunk.span.stop / scan.rows)
    writers.warn_of_unknown(fit.counts)
    vocabularies = [write_vocabulary(folder, i, v) for i, v in enumerate(fit.encoding.vocabularies) if v is not None]
    content = {
        "format": FORMAT_VERSION,
        "name": source.name,
        "fingerprint": fingerprint,
        "source": source.kind,
        "log_form": source.log_form.to_dict(),
        "options": options.to_dict(),
        "split_column": scan.split_column,
        "row_words": list(scan.words),
        "schema": schema.to_dict(),
        "columns": [column.to_dict() for column in columns],
        "splits": writers.records,
        "vocabularies": dict(vocabularies),
        "attainable_auc": scan.attainable_auc,
        "statistics": {"fields": writers.statistics(fit.counts)},
    }
    write_schema(folder, content)


logger = logging.getLogger("nas_fusion")


class SplitWriters:
    """The arrays of the three splits while they are written, with the counts that `describe` tells.

    Args:
        folder: where they go.
        schema: of the data set.
        scan: says how many rows each split has.

    Attributes:
        records: what ``schema.json`` says about the splits, once the block that writes them has ended well.
    """

    def __init__(self, folder: Path, schema: Schema, scan: Scan) -> None:
        self._scan = scan
        fields = len(schema.fields)
        self._fields = schema.fields
        widths = {"values": len(schema.value_fields), "numbers": len(schema.number_fields)}
        self.records: dict[str, Any] = {}
        self._writers: dict[str, dict[str, ArrayWriter]] = {}
        self._positives = {name: int(scan.labels[scan.codes == code].sum()) for code, name in enumerate(SPLITS)}
        self._rows = {name: int((scan.codes == code).sum()) for code, name in enumerate(SPLITS)}
        self._missing = {name: np.zeros(fields, np.int64) for name in SPLITS}
        self._unknown = {name: np.zeros(fields, np.int64) for name in SPLITS}
        self._cells = UnknownCells(schema)
        with ExitStack() as stack:  # closes what is open already if one cannot be made
            for name, rows in self._rows.items():
                arrays: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {
                    "ids": (np.int32, (rows, schema.id_columns)),
                    "labels": (np.float32, (rows,)),
                }
                arrays.update({array: (np.float32, (rows, width)) for array, width in widths.items() if width})
                arrays.update({"weights": (np.float32, (rows,))} if scan.weights is not None else {})
                arrays.update({"groups": (np.int32, (rows,))} if scan.groups is not None else {})
                arrays.update({"rows": (np.int64, (rows,))} if name == TEST else {})
                self._writers[name] = {
                    array: stack.enter_context(ArrayWriter(array_file(folder, name, array), dtype, shape))
                    for array, (dtype, shape) in arrays.items()
                }
            self._stack = stack.pop_all()

    def append(self, span: slice, rows: EncodedRows) -> None:
        """Send the rows of one chunk to their splits.

        Args:
            span: where they stand in the log.
            rows: encoded.

        Raises:
            OSError: the disk is full, for instance.
        """
        scan = self._scan
        said = {"labels": scan.labels, "weights": scan.weights, "groups": scan.groups}
        arrays: dict[str, npt.NDArray[Any] | None] = {"values": rows.values, "numbers": rows.numbers}
        arrays.update({array: None if every is None else every[span] for array, every in said.items()})
        for code, name in enumerate(SPLITS):
            chosen = np.flatnonzero(scan.codes[span] == code)
            writers, ids = self._writers[name], rows.ids[chosen]
            writers["ids"].append(ids)
            if name == TEST:  # predictions of the test rows are kept, and belong to rows of the log
                writers["rows"].append(span.start + chosen)
            for array, found in arrays.items():
                if found is not None:
                    writers[array].append(found[chosen])
            self._missing[name] += (ids[:, self._cells.first_columns] == MISSING_ID).sum(axis=0)
            self._unknown[name] += self._cells.count(ids)

    def warn_of_unknown(self, counts: Sequence[FieldCounts]) -> None:
        """Name the fields of which most validation rows hold nothing that the training rows had often enough."""
        rows = self._rows["valid"]
        for field, unknown, found in zip(self._fields, self._unknown["valid"].tolist(), counts, strict=True):
            if warning := unknown_warning(field, unknown / rows, found.distinct):
                logger.warning("%s", warning)

    def statistics(self, counts: Sequence[FieldCounts]) -> list[dict[str, Any]]:
        """What ``schema.json`` says about every field."""
        return [
            {
                "distinct": found.distinct,
                "top_share": found.top_share,
                "missing": {name: int(self._missing[name][position]) for name in SPLITS},
                "unknown": {name: int(self._unknown[name][position]) for name in SPLITS},
            }
            for position, found in enumerate(counts)
        ]

    def __enter__(self) -> SplitWriters:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if kind is not None:
                return
            for name, writers in self._writers.items():
                arrays = {array: writer.close() for array, writer in writers.items()}
                self.records[name] = {"rows": self._rows[name], "positives": self._positives[name], "arrays": arrays}
