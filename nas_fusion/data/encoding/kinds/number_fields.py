"""Fields that are numbers: bins, plain or interpolated, and standardised values."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from nas_fusion.data.encoding.bins import Bins, fit_bins
from nas_fusion.data.encoding.kinds.column_cells import number_cells
from nas_fusion.data.encoding.kinds.field_coding import (
    EncodedCell,
    EncodedColumn,
    FieldCounts,
    FieldEncoder,
    FieldPlan,
    FittedField,
    Fitter,
    RowMask,
    Rule,
)
from nas_fusion.data.encoding.kinds.single_cells import cell_part
from nas_fusion.data.encoding.numeric import Moments, QuantileSketch, within_float32
from nas_fusion.data.schema import MISSING_ID, Field, FieldKind
from nas_fusion.data.sources.cells import CellRules
from nas_fusion.data.sources.chunk import Chunk, Repeated

PRESENT_ID = 1
"""Id of a number that is not missing, in a scaled field."""

SCALED_IDS = 2


class BinsFitter(Fitter):
    """Sketches the distribution of the numbers, from which bins are made."""

    def __init__(self, plan: FieldPlan) -> None:
        super().__init__(plan)
        self._sketch = QuantileSketch()
        self._missing, self._rows = 0, 0

    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Take in the chosen rows."""
        plan = self.plan
        found = number_cells(chunk, plan.column, plan.part, plan.cells)
        values, counts = found.counted(rows)
        present = ~np.isnan(values) & (counts > 0)
        self._rows += int(counts.sum())
        self._missing += int(counts.sum() - counts[present].sum())
        self._sketch.add(values[present], counts[present])
        self._take(found, rows)

    def finish(self) -> FittedField:
        """The field, without a vocabulary; different numbers are counted at the sketch's precision."""
        counts = FieldCounts(self._sketch.distinct, self._sketch.top_count, self._missing, self._rows)
        return FittedField(self._field(), None, counts)

    def _take(self, found: Repeated, rows: RowMask) -> None:
        """What a rule needs beyond the sketch."""

    def _field(self) -> Field:
        return self._binned(FieldKind.BUCKETED, centred=False, buckets=Rule.BINS.value)

    def _binned(self, kind: FieldKind, *, centred: bool, buckets: str = "") -> Field:
        plan, bins = self.plan, fit_bins(*self._sketch.counted(), centred=centred)
        return Field(
            plan.name, kind, bins.size, plan.column, plan.part, plan.cells, buckets, knots=bins.knots, exact=bins.exact
        )  # fmt: skip


class InterpolateFitter(BinsFitter):
    """The same with knots to interpolate between."""

    def _field(self) -> Field:
        return self._binned(FieldKind.INTERPOLATED, centred=True)


class BinsEncoder(FieldEncoder):
    """The bin of every number; of an interpolated field also how far it is towards the next knot."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Ids and fractions."""
        field = self.field
        cells = number_cells(chunk, field.column, field.part, field.cells)
        found = self._bins.locate(cells.values)
        ids, fractions = found if cells.codes is None else (found.ids[cells.codes], found.fractions[cells.codes])
        return EncodedColumn(ids, fractions if field.kind is FieldKind.INTERPOLATED else None, cells.rows())

    def encode_cell(self, cell: object, rules: CellRules) -> EncodedCell:
        """Id and fraction."""
        field = self.field
        x = cell_part(cell, field.part, rules, field.cells)
        id, fraction = self._bins.locate_one(x)
        return EncodedCell((id,), fraction if field.kind is FieldKind.INTERPOLATED else None, x)

    @cached_property
    def _bins(self) -> Bins:
        return Bins(self.field.knots, self.field.exact)


class ScaleFitter(BinsFitter):
    """Mean and standard deviation; the sketch serves the statistics only."""

    def __init__(self, plan: FieldPlan) -> None:
        super().__init__(plan)
        self._moments = Moments()

    def _take(self, found: Repeated, rows: RowMask) -> None:
        x = found.rows()[rows]
        self._moments.add(x[~np.isnan(x)])  # not by counts: the last digits of a sum depend on its order

    def _field(self) -> Field:
        plan, found = self.plan, self._moments
        return Field(
            plan.name, FieldKind.SCALED, SCALED_IDS, plan.column, plan.part, plan.cells, mean=found.mean, std=found.std
        )  # fmt: skip


class ScaleEncoder(FieldEncoder):
    """Standardised by the training rows; a missing value gets id 0 and the value 1, so that its vector counts."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Ids 0 (missing) and 1 (present), and the standardised numbers."""
        x = number_cells(chunk, self.field.column, self.field.part, self.field.cells).rows()
        missing = np.isnan(x)
        scaled = (x - self.field.mean) / self.field.std
        return EncodedColumn(
            np.where(missing, MISSING_ID, PRESENT_ID).astype(np.int32),
            within_float32(np.where(missing, 1.0, scaled)),
            x,
        )

    def encode_cell(self, cell: object, rules: CellRules) -> EncodedCell:
        """Id and standardised number."""
        x = cell_part(cell, self.field.part, rules, self.field.cells)
        if math.isnan(x):
            return EncodedCell((MISSING_ID,), 1.0, x)
        return EncodedCell((PRESENT_ID,), (x - self.field.mean) / self.field.std, x)
