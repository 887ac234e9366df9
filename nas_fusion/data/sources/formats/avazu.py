"""The raw format of Avazu's log, as on Kaggle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.cells import ArrowColumn, ArrowRows, CellError, categories
from nas_fusion.data.sources.chunk import numbered
from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.errors import listed, shown

AVAZU_HEADERS = ("id,click,hour,", "id,hour,C1,")
"""With the label, and without it, as those of the published ``test.csv``."""

AVAZU_TIME = ("hour_of_day", "weekday", "is_weekend")
"""What becomes of the column `hour`."""

EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

SATURDAY = 5


class AvazuSource(DelimitedSource):
    """Avazu: `id` is dropped, `hour` (YYMMDDHH) becomes hour of day, weekday and is_weekend.

    The raw `hour` stays available for a split by time.

    Raises:
        DataError: there is no column `hour`.
    """

    kind = "avazu"
    marks = ()
    label = "click"
    infer_numbers = False
    not_fields = frozenset({"id", "hour"})

    def __init__(self, head: FileHead) -> None:
        super().__init__(head, delimiter=",")
        if "hour" not in self.raw_columns:
            raise self.error(f"an Avazu log has a column 'hour'; columns are {listed(self.raw_columns)}")
        place = self.raw_columns.index("hour") + 1
        self.columns = (*self.raw_columns[:place], *AVAZU_TIME, *self.raw_columns[place:])

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """The header begins as Kaggle's."""
        return lines[0].startswith(AVAZU_HEADERS)

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the file once, deriving the time columns.

        Raises:
            DataError: also where an hour is not YYMMDDHH.
        """
        raw = [c for c in columns if c not in AVAZU_TIME]
        derives = len(raw) < len(columns)
        for chunk in numbered(self, super().batches([*raw, "hour"] if derives and "hour" not in raw else raw)):
            arrays = {name: chunk.column(name) for name in raw}
            if derives:
                with chunk.naming("hour"):
                    arrays |= time_columns(chunk.column("hour"))
            yield pa.table({name: arrays[name] for name in columns})


def time_columns(hours: ArrowColumn) -> dict[str, pa.Array]:
    """Hour of day (0–23), weekday (Monday is 0) and is_weekend (0, 1) of texts YYMMDDHH; missing stays missing.

    Each is int64 ``[rows]``.

    Raises:
        CellError: a text is not such a time.
    """
    values, codes = categories(hours)
    texts = values.to_numpy(zero_copy_only=False).astype(str)
    good = np.asarray(pc.match_substring_regex(values, r"^\d{6}([01]\d|2[0-3])$"))
    days = np.full(len(texts), np.datetime64("NaT"), "datetime64[D]")
    for i in np.flatnonzero(good):  # different hours are few: 240 in the whole log
        text = texts[i]
        try:
            days[i] = np.datetime64(f"20{text[:2]}-{text[2:4]}-{text[4:6]}")
        except ValueError:
            good[i] = False
    bad = (codes >= 0) & ~good[codes] if len(good) else np.zeros(len(codes), bool)
    if bad.any():
        index = int(bad.argmax())
        raise CellError(f"expected a time YYMMDDHH, found {shown(str(texts[codes[index]]))}", index)
    weekday = (days.astype(np.int64) + EPOCH_WEEKDAY) % 7
    clock = np.array([int(t[6:8]) if ok else 0 for t, ok in zip(texts, good, strict=True)], np.int64)
    derived = zip(AVAZU_TIME, (clock, weekday, (weekday >= SATURDAY).astype(np.int64)), strict=True)
    indices = pa.array(codes, mask=codes < 0)
    return {name: pa.array(array).take(indices) for name, array in derived}
