"""`FrameSource`: a pandas frame."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from nas_fusion.data.sources.arrow_types import plain_type
from nas_fusion.data.sources.cells import ArrowRows, CellRules
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import DataError
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

if TYPE_CHECKING:
    import pandas as pd


class FrameSource(Source):
    """A pandas frame; its index is not used.

    Args:
        frame: the rows.
        options: say which texts are missing values.

    Raises:
        DataError: names of columns are no texts, or not all different.
    """

    kind = "frame"
    name = "frame"

    def __init__(self, frame: pd.DataFrame, options: DataOptions = DEFAULT_OPTIONS) -> None:
        if not all(isinstance(c, str) for c in frame.columns) or not frame.columns.is_unique:
            raise DataError("the columns of a frame must have different names, all of them text", path=self.name)
        self._frame = frame
        self.columns = tuple(frame.columns)
        self.expected_rows = len(frame)
        self.rules = CellRules((*self.marks, *options.missing))

    def digest(self) -> str:
        """A hash of column names, types and cells.

        Raises:
            DataError: a column holds neither numbers nor texts.
        """
        from pandas.util import hash_pandas_object

        digest = hashlib.blake2b(digest_size=32)
        digest.update(repr([(c, str(self._frame[c].dtype)) for c in self.columns]).encode())
        for part in self._parts(self.columns):
            for column in self.columns:
                try:
                    hashed = hash_pandas_object(_hashable(part[column]), index=False, categorize=False)
                except (TypeError, ValueError) as error:
                    raise self.error(
                        f"cells are neither numbers nor texts ({str(error).splitlines()[0]})", column=column
                    ) from error
                digest.update(hashed.to_numpy().tobytes())
        return f"{digest.hexdigest()}:{len(self._frame)}"

    def batches(self, columns: Sequence[str]) -> Iterator[ArrowRows]:
        """Walk through the frame.

        Raises:
            DataError: a column holds cells of several types.
        """
        for part in self._parts(columns):
            arrays = {}
            for column in columns:
                try:
                    arrays[column] = plain_type(pa.array(part[column], from_pandas=True))
                except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                    raise self.error(f"mixed types ({str(error).splitlines()[0]})", column=column) from error
            yield pa.table(arrays)

    def _parts(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        for start in range(0, len(self._frame), self.chunk_rows):
            yield self._frame.iloc[start : start + self.chunk_rows][list(columns)]


def _hashable(column: pd.Series) -> pd.Series:
    """A column whose cells pandas can hash: lists as what they hold."""
    holds_lists = column.dtype == object and any(isinstance(cell, list | tuple | np.ndarray) for cell in column)
    return (
        column.map(lambda cell: repr(list(cell)) if isinstance(cell, list | tuple | np.ndarray) else cell)
        if (holds_lists)
        else column
    )
