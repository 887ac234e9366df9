"""Fitting a field on the training rows, then encoding any rows: one class per rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nas_fusion.data.encoding.field_rules import CATEGORY, LOG_PUBLISHED, QUANTILE, SCALE
from nas_fusion.data.encoding.numeric import Moments, QuantileSketch, log_bucket, quantile_bucket
from nas_fusion.data.encoding.value_counts import ValueCounter
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import FIRST_ID, MISSING_ID, Field, FieldKind
from nas_fusion.data.sources.arrow_columns import Categories, FloatArray, categories, numbers

Rows = npt.NDArray[np.bool_]


class Encoded(NamedTuple):
    """A column as ids and, if it is scaled, as numbers."""

    ids: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32] | None


class Encoder(ABC):
    """One field. Life: `observe` for every chunk, `finish` once, then `encode` for every chunk.

    Args:
        name: of the field.
        min_count: values seen less often are out of the vocabulary.
    """

    def __init__(self, name: str, min_count: int) -> None:
        self.name, self.min_count = name, min_count
        self.field = Field(name, FieldKind.CATEGORICAL, FIRST_ID)
        self.distinct, self.top_count, self.fit_missing, self.fit_rows = 0, 0, 0, 0

    @abstractmethod
    def observe(self, column: Any, rows: Rows) -> None:
        """Take in the chosen rows of a chunk (those that vocabularies are fitted on)."""

    @abstractmethod
    def finish(self) -> None:
        """Set `field` and the statistics."""

    @abstractmethod
    def encode(self, column: Any) -> Encoded:
        """Turn a chunk into ids and values."""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The values that have ids, if the field has a vocabulary."""
        return None


class CategoryEncoder(Encoder):
    """One id per value of the vocabulary."""

    def __init__(self, name: str, min_count: int) -> None:
        super().__init__(name, min_count)
        self._counter: ValueCounter | None = ValueCounter()
        self._vocabulary: Vocabulary | None = None

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The values that have ids."""
        return self._vocabulary

    def observe(self, column: Any, rows: Rows) -> None:
        """Count the values of the chosen rows."""
        assert self._counter is not None
        self._counter.add(self._categories(column).take(rows))

    def finish(self) -> None:
        """Fit the vocabulary; the counts are let go."""
        assert self._counter is not None
        values, counts = self._counter.result()
        self._count(self._counter, counts)
        self._vocabulary = Vocabulary.fit(values, counts, self.min_count)
        self._counter = None
        self.field = self._field(len(self._vocabulary) + FIRST_ID)

    def encode(self, column: Any) -> Encoded:
        """Look up every value."""
        assert self._vocabulary is not None
        found = self._categories(column)
        ids = np.append(self._vocabulary.ids(found.values), np.int32(MISSING_ID))  # code -1 picks the last
        return Encoded(ids[found.codes], None)

    def _count(self, counter: ValueCounter, counts: npt.NDArray[np.int64]) -> None:
        self.distinct, self.top_count = len(counts), int(counts.max(initial=0))
        self.fit_missing, self.fit_rows = counter.missing, counter.missing + int(counts.sum())

    def _categories(self, column: Any) -> Categories:
        return categories(column)

    def _field(self, size: int) -> Field:
        return Field(self.name, FieldKind.CATEGORICAL, size)


class LogBucketEncoder(CategoryEncoder):
    """Criteo's logarithmic buckets; a bucket is then treated as a category."""

    def __init__(self, name: str, min_count: int, *, rule: str) -> None:
        super().__init__(name, min_count)
        self._rule = rule

    def _categories(self, column: Any) -> Categories:
        x = numbers(column)
        missing = np.isnan(x)
        buckets = log_bucket(np.where(missing, 0.0, x), published=self._rule == LOG_PUBLISHED)
        return categories(pa.array(buckets, mask=missing))

    def _field(self, size: int) -> Field:
        return Field(self.name, FieldKind.BUCKETED, size, buckets=self._rule)


class _NumberEncoder(Encoder):
    """What the rules without vocabulary share: finite numbers of the chosen rows, and their statistics."""

    def __init__(self, name: str, min_count: int) -> None:
        super().__init__(name, min_count)
        self._sketch = QuantileSketch()

    def observe(self, column: Any, rows: Rows) -> None:
        """Take in the chosen rows."""
        x = numbers(column)[rows]
        present = x[~np.isnan(x)]
        self.fit_missing += len(x) - len(present)
        self.fit_rows += len(x)
        self._sketch.add(present)
        self._take(present)

    def finish(self) -> None:
        """Set the statistics; different numbers are counted at the sketch's precision."""
        self.distinct, self.top_count = self._sketch.distinct, self._sketch.top_count
        self._fit()
        self._sketch = QuantileSketch()

    def _take(self, present: FloatArray) -> None:
        pass

    @abstractmethod
    def _fit(self) -> None: ...


class QuantileEncoder(_NumberEncoder):
    """One id per bucket, edges at quantiles of the training rows."""

    def _fit(self) -> None:
        edges = self._sketch.edges()
        self.field = Field(self.name, FieldKind.BUCKETED, FIRST_ID + len(edges) + 1, buckets=QUANTILE, edges=edges)

    def encode(self, column: Any) -> Encoded:
        """The bucket of every number."""
        x = numbers(column)
        missing = np.isnan(x)
        ids = quantile_bucket(np.where(missing, 0.0, x), self.field.edges) + FIRST_ID
        return Encoded(np.where(missing, MISSING_ID, ids).astype(np.int32), None)


class ScaleEncoder(_NumberEncoder):
    """Standardised by the training rows; a missing value gets id 0 and the value 1, so that its vector counts."""

    PRESENT_ID = 1

    def __init__(self, name: str, min_count: int) -> None:
        super().__init__(name, min_count)
        self._moments = Moments()

    def _take(self, present: FloatArray) -> None:
        self._moments.add(present)

    def _fit(self) -> None:
        moments = self._moments
        self.field = Field(self.name, FieldKind.SCALED, 2, mean=moments.mean, std=moments.std)

    def encode(self, column: Any) -> Encoded:
        """Ids 0 (missing) and 1 (present), and the standardised numbers."""
        x = numbers(column)
        missing = np.isnan(x)
        scaled = (x - self.field.mean) / self.field.std
        return Encoded(
            np.where(missing, MISSING_ID, self.PRESENT_ID).astype(np.int32),
            np.where(missing, 1.0, scaled).astype(np.float32),
        )


def make_encoder(name: str, rule: str, min_count: int) -> Encoder:
    """The encoder of a rule of `field_rules`."""
    if rule == CATEGORY:
        return CategoryEncoder(name, min_count)
    if rule == SCALE:
        return ScaleEncoder(name, min_count)
    if rule == QUANTILE:
        return QuantileEncoder(name, min_count)
    return LogBucketEncoder(name, min_count, rule=rule)
