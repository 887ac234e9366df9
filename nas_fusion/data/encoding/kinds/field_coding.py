"""What every kind of field is: a plan, a fitter that learns it from the training rows, an encoder that applies it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import AS_THEY_ARE, CellForm, CellPart, Field
from nas_fusion.data.sources.cells import CellRules, FloatArray
from nas_fusion.data.sources.chunk import Chunk

Ids = npt.NDArray[np.int32]
Values = npt.NDArray[np.float32]
RowMask = npt.NDArray[np.bool_]
"""Which rows of a chunk are fitted on, ``[rows]``."""


class Rule(StrEnum):
    """How a field is fitted and encoded."""

    CATEGORY = "category"
    HASH = "hash"
    INTERPOLATE = "interpolate"
    BINS = "bins"
    SCALE = "scale"
    LOG = "log"
    LOG_PUBLISHED = "log-published"
    LIST = "list"


@dataclass(frozen=True)
class FieldPlan:
    """A field before anything is learnt about it.

    Args:
        name: of the field.
        rule: how it is fitted and encoded.
        column: of the log.
        part: what of the column's cells it is about.
        cells: how they are read.
        min_count: values seen less often are out of the vocabulary.
        hash_size: of a hashed field, how many hashes there are.
        items: of a list, how many items are kept at most.
    """

    name: str
    rule: Rule
    column: str
    part: CellPart = CellPart.WHOLE
    cells: CellForm = AS_THEY_ARE
    min_count: int = 1
    hash_size: int = 0
    items: int = 1


class EncodedColumn(NamedTuple):
    """A field's cells, encoded.

    `ids` is int32 ``[rows]``, of a list ``[rows, items]``; `values` float32 ``[rows]`` where the field has values;
    `numbers` float64 ``[rows]``, NaN where missing, where its cells are numbers.
    """

    ids: Ids
    values: Values | None = None
    numbers: FloatArray | None = None


class EncodedCell(NamedTuple):
    """A field's cell, encoded: its ids (one, of a list some), its value, and its number, NaN where missing."""

    ids: Sequence[int]
    value: float | None = None
    number: float | None = None


@dataclass(frozen=True, eq=False)
class FieldEncoder(ABC):
    """One fitted field.

    Args:
        field: what was learnt about it.
        vocabulary: the values that have ids, if the rule has a vocabulary.
    """

    field: Field
    vocabulary: Vocabulary | None = None

    @abstractmethod
    def encode(self, chunk: Chunk) -> EncodedColumn:
        """The field's column of a chunk as ids and values.

        Raises:
            DataError: there is no such column, or a cell cannot be used.
        """

    @abstractmethod
    def encode_cell(self, cell: object, rules: CellRules) -> EncodedCell:
        """The same of one cell as Python has it: a text, a number, a time, a list, or None where it is missing.

        Raises:
            NotPlain: the cell has to be read as a column.
        """


@dataclass(frozen=True)
class FieldCounts:
    """What was counted in the rows that a field was fitted on.

    Args:
        distinct: different values (numbers: told apart to 2^-15 of their size; items of lists), missing not counted.
        top: how often the most frequent value occurs.
        missing: cells without a value.
        rows: all rows.
    """

    distinct: int
    top: int
    missing: int
    rows: int

    @property
    def top_share(self) -> float:
        """Share of the most frequent value, 0 to 1."""
        return self.top / self.rows if self.rows else 0.0

    @property
    def is_constant(self) -> bool:
        """Whether all rows hold the same, so that the field tells nothing."""
        return self.distinct + bool(self.missing) < 2


class FittedField(NamedTuple):
    """What a fitter learnt: the field, its vocabulary if it has one, and what was counted."""

    field: Field
    vocabulary: Vocabulary | None
    counts: FieldCounts


class Fitter(ABC):
    """Fits one field. Life: `observe` for every chunk, `finish` once; then it is let go with all that it counted.

    Args:
        plan: of the field.
    """

    def __init__(self, plan: FieldPlan) -> None:
        self.plan = plan

    @abstractmethod
    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Take in the chosen rows of a chunk.

        Raises:
            DataError: a cell cannot be used, chosen or not.
        """

    @abstractmethod
    def finish(self) -> FittedField:
        """What was learnt."""
