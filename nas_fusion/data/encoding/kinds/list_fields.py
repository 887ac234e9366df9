"""Fields of which a cell holds several values: tags of a page, or what a user saw last."""

from __future__ import annotations

import numpy as np

from nas_fusion.data.encoding.kinds.column_cells import Lists, list_cells
from nas_fusion.data.encoding.kinds.field_coding import (
    EncodedCell,
    EncodedColumn,
    FieldCounts,
    FieldEncoder,
    FieldPlan,
    FittedField,
    Fitter,
    RowMask,
)
from nas_fusion.data.encoding.kinds.single_cells import cell_items
from nas_fusion.data.encoding.vocabulary import ValueCounter, Vocabulary
from nas_fusion.data.schema import FIRST_ID, MISSING_ID, Field, FieldKind
from nas_fusion.data.sources.cells import CellRules, IntArray
from nas_fusion.data.sources.chunk import Chunk
from nas_fusion.field_shapes import PAD


class ListFitter(Fitter):
    """Counts the items."""

    def __init__(self, plan: FieldPlan) -> None:
        super().__init__(plan)
        self._counter = ValueCounter()
        self._longest, self._rows, self._empty = 1, 0, 0

    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Count the items of the chosen rows."""
        found = list_cells(chunk, self.plan.column, self.plan.cells)
        lengths = found.lengths[rows]
        self._counter.add(found.items.take(np.repeat(rows, found.lengths)))
        self._longest = max(self._longest, int(lengths.max(initial=0)))
        self._rows += len(lengths)
        self._empty += int((lengths == 0).sum())

    def finish(self) -> FittedField:
        """The vocabulary of the items that were seen often enough; as many columns as the longest list needs."""
        plan = self.plan
        values, counts = self._counter.result()
        vocabulary = Vocabulary.fit(values, counts, plan.min_count)
        found = FieldCounts(len(counts), int(counts.max(initial=0)), self._empty, self._rows)
        field = Field(
            plan.name, FieldKind.LIST, len(vocabulary) + FIRST_ID, plan.column, plan.part, plan.cells,
            columns=min(plan.items, self._longest),
        )  # fmt: skip
        return FittedField(field, vocabulary, found)


class ListEncoder(FieldEncoder):
    """One id per item, the last items of a cell; then pads. A cell without items is one missing value."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Look up every item."""
        assert self.vocabulary is not None
        found = list_cells(chunk, self.field.column, self.field.cells)
        ids = np.full((len(chunk), self.field.columns), PAD, np.int32)
        ids[found.lengths == 0, 0] = MISSING_ID
        rows, places = _places(found, self.field.columns)
        kept = places >= 0
        ids[rows[kept], places[kept]] = self.vocabulary.ids(found.items.values)[found.items.codes][kept]
        return EncodedColumn(ids)

    def encode_cell(self, cell: object, rules: CellRules) -> EncodedCell:
        """Look up the last items."""
        assert self.vocabulary is not None
        width = self.field.columns
        items = (cell_items(cell, rules, self.field.cells) or [])[-width:]
        ids = [self.vocabulary.id_of(item) for item in items] or [MISSING_ID]
        return EncodedCell([*ids, *[PAD] * (width - len(ids))])


def _places(found: Lists, columns: int) -> tuple[IntArray, IntArray]:
    """Row and column of every item, int64 ``[items]``; a column below 0 is that of an item too many."""
    rows = np.repeat(np.arange(len(found.lengths)), found.lengths)
    first = np.cumsum(found.lengths) - found.lengths
    left_out = np.maximum(found.lengths - columns, 0)
    return rows, np.arange(len(rows)) - (first + left_out)[rows]
