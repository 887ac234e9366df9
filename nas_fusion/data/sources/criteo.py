"""The raw formats of three public click logs: Criteo, Avazu and KDD Cup 2012 track 2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.arrow_columns import ColumnError, FloatArray, categories, numbers, shown
from nas_fusion.data.sources.delimited import TextSource
from nas_fusion.errors import listed
from nas_fusion.errors import shown as quoted

CRITEO_NUMBERS = tuple(f"I{i}" for i in range(1, 14))
CRITEO_COLUMNS = ("label", *CRITEO_NUMBERS, *(f"C{i}" for i in range(1, 27)))

KDD12_COLUMNS = (
    *("click", "impression", "display_url", "ad", "advertiser", "depth"),
    *("position", "query", "keyword", "title", "description", "user"),
)

AVAZU_HEADER = "id,click,hour,"
AVAZU_TIME = ("hour_of_day", "weekday", "is_weekend")
"""What becomes of the column `hour`."""

EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


class CriteoSource(TextSource):
    """Criteo Display Advertising: tab-separated, no header: label, I1–I13 (numbers), C1–C26 (hashes)."""

    kind = "criteo"
    label = "label"
    infer_numbers = False
    log_buckets = frozenset(CRITEO_NUMBERS)

    def __init__(self, path: Path, lines: Sequence[str] | None = None) -> None:
        super().__init__(path, names=CRITEO_COLUMNS, delimiter="\t", quotes=False, lines=lines)


class Kdd12Source(TextSource):
    """KDD Cup 2012 track 2: tab-separated, no header: clicks, impressions and ten ids; label = clicks > 0."""

    kind = "kdd12"
    label = "click"
    infer_numbers = False

    def __init__(self, path: Path, lines: Sequence[str] | None = None) -> None:
        super().__init__(path, names=KDD12_COLUMNS, delimiter="\t", quotes=False, lines=lines)

    def labels(self, column: Any) -> FloatArray:
        """1.0 where there was a click.

        Raises:
            ColumnError: a cell is not a number of clicks.
        """
        found = numbers(column)
        good = (found >= 0) & (found == np.floor(found))
        if not good.all():
            index = int(good.argmin())
            raise ColumnError(f"a number of clicks must be a non-negative integer, found {shown(column[index])}", index)
        return (found > 0).astype(np.float64)


class AvazuSource(TextSource):
    """Avazu, as on Kaggle: `id` is dropped, `hour` (YYMMDDHH) becomes hour of day, weekday and is_weekend.

    The raw `hour` stays available for a split by time.
    """

    kind = "avazu"
    label = "click"
    infer_numbers = False
    not_fields = frozenset({"id", "hour"})

    def __init__(self, path: Path, lines: Sequence[str] | None = None) -> None:
        super().__init__(path, lines=lines)
        if "hour" not in self.raw_columns:
            raise self.error(f"an Avazu log has a column 'hour'; columns are {listed(self.raw_columns)}")
        place = self.raw_columns.index("hour") + 1
        self.columns = (*self.raw_columns[:place], *AVAZU_TIME, *self.raw_columns[place:])

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Read the file once, deriving the time columns.

        Raises:
            DataError: also where an hour is not YYMMDDHH.
        """
        derived = [c for c in columns if c in AVAZU_TIME]
        raw = [c for c in columns if c not in AVAZU_TIME]
        wanted = raw + ["hour"] * bool(derived and "hour" not in raw)
        row = 0
        for batch in super().batches(wanted):
            arrays = {name: batch.column(name) for name in raw}
            if derived:
                try:
                    arrays |= time_columns(batch.column("hour"))
                except ColumnError as error:
                    raise self.column_error(error, "hour", row) from error
            row += batch.num_rows
            yield pa.table({name: arrays[name] for name in columns})


def time_columns(hours: Any) -> dict[str, Any]:
    """Hour of day (0–23), weekday (Monday is 0) and is_weekend (0, 1) of texts YYMMDDHH; missing stays missing.

    Raises:
        ColumnError: a text is not such a time.
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
        raise ColumnError(f"expected a time YYMMDDHH, found {quoted(str(texts[codes[index]]))}", index)
    weekday = (days.astype(np.int64) + EPOCH_WEEKDAY) % 7
    clock = np.array([int(t[6:8]) if ok else 0 for t, ok in zip(texts, good, strict=True)], np.int64)
    derived = zip(AVAZU_TIME, (clock, weekday, (weekday >= 5).astype(np.int64)), strict=True)
    indices = pa.array(codes, mask=codes < 0)
    return {name: pa.array(array).take(indices) for name, array in derived}
