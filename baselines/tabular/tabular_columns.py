"""The columns of an encoded split as other libraries take them: numbers as the log has them, categories as codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data import EncodedSplit, Schema
from nas_fusion.field_shapes import FieldForm

LISTED_VALUES = 30
"""Of a list, so many of its most frequent values become columns of boosted trees, which take no lists."""


class IdColumns(NamedTuple):
    """A field of categories: its first column of the ids, how many it takes, and its number of ids."""

    name: str
    first: int
    columns: int
    size: int

    @property
    def span(self) -> slice:
        """Its columns."""
        return slice(self.first, self.first + self.columns)


class Bins(NamedTuple):
    """A field of bins of a number: its column of the ids, and of the values if it is interpolated between bins."""

    ids: IdColumns
    value: int | None


@dataclass(frozen=True)
class TabularColumns:
    """The columns of a log.

    Args:
        categories: fields with one category per row.
        lists: fields with several.
        numbers: how many columns ``split.numbers`` has.
        bins: the fields of bins of these numbers.
    """

    categories: tuple[IdColumns, ...]
    lists: tuple[IdColumns, ...]
    numbers: int
    bins: tuple[Bins, ...] = ()

    @classmethod
    def of(cls, schema: Schema) -> TabularColumns:
        """The columns of an encoded log. A number that is several fields (bins, and scaled) is one column."""
        categories: list[IdColumns] = []
        lists: list[IdColumns] = []
        bins: list[Bins] = []
        first, values = 0, 0
        for field, shape in zip(schema.fields, schema.field_shapes, strict=True):
            columns = IdColumns(field.name, first, shape.columns, shape.size)
            if not field.is_number:
                (lists if shape.form is FieldForm.LIST else categories).append(columns)
            elif shape.form is not FieldForm.SCALED:
                bins.append(Bins(columns, values if shape.form.has_value else None))
            first += shape.columns
            values += shape.form.has_value
        return cls(tuple(categories), tuple(lists), len(schema.number_columns), tuple(bins))

    @staticmethod
    def weights_of(split: EncodedSplit) -> npt.NDArray[np.float32] | None:
        """How much every row counts, float32 ``[rows]``; None if all count alike."""
        return None if split.weights is None else np.asarray(split.weights)

    def numbers_of(self, split: EncodedSplit) -> npt.NDArray[np.float32]:
        """The numbers of a split, float32 ``[rows, numbers]``; NaN where one is missing."""
        return np.zeros((len(split), 0), np.float32) if split.numbers is None else np.asarray(split.numbers)

    def categories_of(self, split: EncodedSplit) -> npt.NDArray[np.int32]:
        """The ids of the categories of a split, int32 ``[rows, categories]``."""
        return np.asarray(split.ids[:, [c.first for c in self.categories]])

    def listed_of(self, split: EncodedSplit) -> npt.NDArray[np.float32]:
        """Whether the most frequent values of every list are in it, float32 0 or 1 ``[rows, values]``."""
        found = [
            (split.ids[:, c.span] == value).any(axis=1)
            for c in self.lists
            for value in range(min(c.size, LISTED_VALUES))
        ]
        return np.stack(found, axis=1).astype(np.float32) if found else np.zeros((len(split.ids), 0), np.float32)
