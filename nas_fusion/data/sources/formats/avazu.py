"""The raw format of Avazu's log, as on Kaggle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nas_fusion.data.sources.cells import ArrowColumn, ArrowRows, CellError, CellRules, categories, plain
from nas_fusion.data.sources.chunk import numbered
from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.source import Source, WrappedSource
from nas_fusion.errors import listed, shown
from nas_fusion.settings import DataOptions

AVAZU_HEADERS = ("id,click,hour,", "id,hour,C1,")
"""With the label, and without it, as those of the published ``test.csv``."""

AVAZU_TIME = ("hour_of_day", "weekday", "is_weekend")
"""What becomes of the column `hour`."""

EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

SATURDAY = 5


HOUR = "hour"
HOUR_DIGITS = 8
"""Of YYMMDDHH; as a number, an hour before 2010 has lost its first zero."""

HOUR_FORM = "%y%m%d%H"

NOT_FIELDS = frozenset({"id", HOUR})


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
    not_fields = NOT_FIELDS

    def __init__(self, head: FileHead) -> None:
        super().__init__(head, delimiter=",")
        self.columns = _with_time(self, self.raw_columns)

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """The header begins as Kaggle's."""
        return lines[0].startswith(AVAZU_HEADERS)

    @classmethod
    def of_rows(cls, source: Source, options: DataOptions) -> Source:
        """Avazu's columns in a frame or in Parquet, to the same ids as those of the text.

        Raises:
            DataError: there is no column `hour`.
        """
        return AvazuRows(source, CellRules((*cls.marks, *options.missing)))

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the file once, deriving the time columns.

        Raises:
            DataError: also where an hour is not YYMMDDHH.
        """
        return _derived(self, super().batches, columns)


class AvazuRows(WrappedSource):
    """Avazu's log in a frame or in Parquet: what `AvazuSource` makes of the text.

    Args:
        source: the rows. An hour is a text, a whole number, or a time, whose parts are then those of its zone.
        rules: how cells that are text are read.

    Raises:
        DataError: there is no column `hour`.
    """

    def __init__(self, source: Source, rules: CellRules) -> None:
        super().__init__(source)
        self.kind, self.label, self.rules = AvazuSource.kind, AvazuSource.label, rules
        self.infer_numbers, self.not_fields = AvazuSource.infer_numbers, NOT_FIELDS
        self.columns = _with_time(self, source.columns)
        if source.types:
            self.types = {**source.types, **dict.fromkeys(AVAZU_TIME, pa.int64())}

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Read the rows once, deriving the time columns.

        Raises:
            DataError: also where an hour is not YYMMDDHH.
        """
        return _derived(self, self._source.batches, columns)


def _with_time(source: Source, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns of a log, and behind the hour what becomes of it."""
    if HOUR not in columns:
        raise source.error(f"an Avazu log has a column {HOUR!r}; columns are {listed(columns)}")
    own = [name for name in columns if name not in AVAZU_TIME]
    place = own.index(HOUR) + 1
    return (*own[:place], *AVAZU_TIME, *own[place:])


def _derived(
    source: Source, read: Callable[[Sequence[str]], Iterator[ArrowRows]], columns: Sequence[str]
) -> Iterator[ArrowRows]:
    """The batches of a log whose columns are read by `read`, with the time columns among them."""
    raw = [c for c in columns if c not in AVAZU_TIME]
    derives = len(raw) < len(columns)
    for chunk in numbered(source, read([*raw, HOUR] if derives and HOUR not in raw else raw)):
        arrays = {name: chunk.column(name) for name in raw}
        if derives:
            with chunk.naming(HOUR):
                arrays |= time_columns(chunk.column(HOUR))
        yield pa.table({name: arrays[name] for name in columns})


def _written(hours: ArrowColumn) -> ArrowColumn:
    """Hours as texts, if they are numbers or times.

    Raises:
        CellError: a number is not whole.
    """
    array = plain(hours)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_temporal(array.type):
        return pc.strftime(array, format=HOUR_FORM)
    if pa.types.is_floating(array.type):  # pandas makes floats of whole numbers beside missing ones
        whole = pc.fill_null(pc.equal(pc.floor(array), array), True)
        if not pc.all(whole).as_py():
            index = pc.index(whole, False).as_py()
            raise CellError(f"expected a time YYMMDDHH, found {shown(array[index].as_py())}", index)
        array = array.cast(pa.int64())
    if pa.types.is_integer(array.type):
        return pc.utf8_lpad(array.cast(pa.large_string()), HOUR_DIGITS, padding="0")
    return array


def time_columns(hours: ArrowColumn) -> dict[str, pa.Array]:
    """Hour of day (0–23), weekday (Monday is 0) and is_weekend (0, 1) of YYMMDDHH; missing stays missing.

    Each is int64 ``[rows]``.

    Raises:
        CellError: a cell is not such a time.
    """
    values, codes = categories(_written(hours))
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
