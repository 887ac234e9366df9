"""Fields whose values are names: categories, hashed ones, and Criteo's buckets, which are treated as such."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from nas_fusion.data.encoding.kinds.column_cells import number_cells, value_cells
from nas_fusion.data.encoding.kinds.field_coding import (
    EncodedCell,
    EncodedColumn,
    FieldCounts,
    FieldEncoder,
    FieldPlan,
    FittedField,
    Fitter,
    Ids,
    RowMask,
    Rule,
)
from nas_fusion.data.encoding.kinds.single_cells import cell_part, cell_text
from nas_fusion.data.encoding.numeric import log_bucket
from nas_fusion.data.encoding.vocabulary import ValueCounter, Vocabulary, hash_of, hashes_of
from nas_fusion.data.schema import FIRST_ID, MISSING_ID, Field, FieldKind
from nas_fusion.data.sources.cells import Categories, CellRules, FloatArray, categories
from nas_fusion.data.sources.chunk import Chunk

Lookup = Callable[[pa.Array], Ids]
"""Gives different values, ``[values]``, their ids, int32 ``[values]``."""


class CategoryFitter(Fitter):
    """Counts the values."""

    def __init__(self, plan: FieldPlan) -> None:
        super().__init__(plan)
        self._counter = ValueCounter()

    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Count the values of the chosen rows."""
        self._counter.add(self._values(chunk).take(rows))

    def finish(self) -> FittedField:
        """The vocabulary of the values that were seen often enough."""
        values, counts = self._counter.result()
        vocabulary = Vocabulary.fit(values, counts, self.plan.min_count)
        missing, present = self._counter.missing, int(counts.sum())
        found = FieldCounts(len(counts), int(counts.max(initial=0)), missing, missing + present)
        return FittedField(self._field(len(vocabulary) + FIRST_ID), vocabulary, found)

    def _values(self, chunk: Chunk) -> Categories:
        return value_cells(chunk, self.plan.column, self.plan.cells)

    def _field(self, size: int) -> Field:
        plan = self.plan
        return Field(plan.name, FieldKind.CATEGORICAL, size, plan.column, plan.part, plan.cells)


class CategoryEncoder(FieldEncoder):
    """One id per value of the vocabulary."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Look up every value."""
        assert self.vocabulary is not None
        found = value_cells(chunk, self.field.column, self.field.cells)
        return EncodedColumn(_looked_up(found, self.vocabulary.ids))

    def encode_cell(self, cell: object, rules: CellRules) -> EncodedCell:
        """Look up the value."""
        assert self.vocabulary is not None
        text = cell_text(cell, rules, whole=self.field.cells.whole)
        return EncodedCell((MISSING_ID if text is None else self.vocabulary.id_of(text),))


class HashFitter(Fitter):
    """Learns nothing: a value's id follows from the value. It counts hashes, of which there are only so many."""

    def __init__(self, plan: FieldPlan) -> None:
        super().__init__(plan)
        self._counts = np.zeros(plan.hash_size + FIRST_ID, np.int64)

    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Count the hashes of the chosen rows."""
        found = value_cells(chunk, self.plan.column, self.plan.cells).take(rows)
        ids = _looked_up(found, hash_ids(self.plan.hash_size))
        self._counts += np.bincount(ids, minlength=len(self._counts))

    def finish(self) -> FittedField:
        """The field; different hashes stand for different values."""
        plan, counts = self.plan, self._counts[FIRST_ID:]
        missing = int(self._counts[MISSING_ID])
        found = FieldCounts(int((counts > 0).sum()), int(counts.max()), missing, missing + int(counts.sum()))
        field = Field(plan.name, FieldKind.HASHED, plan.hash_size + FIRST_ID, plan.column, plan.part, plan.cells)
        return FittedField(field, None, found)


class HashEncoder(FieldEncoder):
    """One id per hash of the value."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Hash every value."""
        found = value_cells(chunk, self.field.column, self.field.cells)
        return EncodedColumn(_looked_up(found, hash_ids(self.field.size - FIRST_ID)))

    def encode_cell(self, cell: object, rules: CellRules) -> EncodedCell:
        """Hash the value."""
        text = cell_text(cell, rules, whole=self.field.cells.whole)
        return EncodedCell((MISSING_ID if text is None else hash_of(text) % (self.field.size - FIRST_ID) + FIRST_ID,))


def hash_ids(size: int) -> Lookup:
    """What gives texts their ids among `size` hashes (`hashes_of`)."""

    def ids(values: pa.Array) -> Ids:
        texts = np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)
        return (hashes_of(texts) % np.uint64(size) + FIRST_ID).astype(np.int32)

    return ids


class LogBucketFitter(CategoryFitter):
    """Counts Criteo's buckets as if they were values."""

    def _values(self, chunk: Chunk) -> Categories:
        x = number_cells(chunk, self.plan.column, self.plan.part, self.plan.cells).rows()
        return log_buckets(x, self.plan.rule)

    def _field(self, size: int) -> Field:
        plan = self.plan
        return Field(plan.name, FieldKind.BUCKETED, size, plan.column, plan.part, plan.cells, buckets=plan.rule.value)


class LogBucketEncoder(FieldEncoder):
    """Criteo's logarithmic buckets; a bucket is then treated as a category."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Look up every number's bucket."""
        assert self.vocabulary is not None
        x = number_cells(chunk, self.field.column, self.field.part, self.field.cells).rows()
        return EncodedColumn(_looked_up(log_buckets(x, self.field.buckets), self.vocabulary.ids), numbers=x)

    def encode_cell(self, cell: object, rules: CellRules) -> EncodedCell:
        """Look up the number's bucket."""
        assert self.vocabulary is not None
        x = cell_part(cell, self.field.part, rules, self.field.cells)
        if math.isnan(x):
            return EncodedCell((MISSING_ID,), number=x)
        bucket = log_bucket(np.array([x]), published=self.field.buckets == Rule.LOG_PUBLISHED)
        return EncodedCell((self.vocabulary.id_of(str(int(bucket[0]))),), number=x)


def log_buckets(x: FloatArray, rule: str) -> Categories:
    """Numbers, float64 ``[rows]``, NaN where missing, as Criteo's buckets, each a category named by its number."""
    missing = np.isnan(x)
    buckets = log_bucket(np.where(missing, 0.0, x), published=rule == Rule.LOG_PUBLISHED)
    return categories(pa.array(buckets, mask=missing))


def _looked_up(found: Categories, ids: Lookup) -> Ids:
    """The id of every row, int32 ``[rows]``."""
    return np.append(ids(found.values), np.int32(MISSING_ID))[found.codes]  # code -1 picks the last
