"""The second reading: the fields are fitted on the training rows. One fitter per rule, and `fit_encoding`."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.field_rules import field_rules
from nas_fusion.data.encoding.fitted_encoding import CATEGORY, QUANTILE, SCALE, FittedEncoding, log_buckets
from nas_fusion.data.encoding.numeric import Moments, QuantileSketch
from nas_fusion.data.encoding.scan import Progress, Scan
from nas_fusion.data.encoding.vocabulary import ValueCounter, Vocabulary
from nas_fusion.data.schema import FIRST_ID, Field, FieldKind, Schema
from nas_fusion.data.sources.cells import Categories, FloatArray
from nas_fusion.data.sources.chunk import Chunk, chunks_of
from nas_fusion.data.sources.source import Source
from nas_fusion.settings import DataOptions

logger = logging.getLogger("nas_fusion")

RowMask = npt.NDArray[np.bool_]
"""Which rows of a chunk are fitted on, ``[rows]``."""


@dataclass(frozen=True)
class FieldCounts:
    """What was counted in the rows that a field was fitted on.

    Args:
        distinct: different values (numbers: told apart to 2^-15 of their size), missing not counted.
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
        name: of the field's column.
        rule: by which it is encoded.
        min_count: values seen less often are out of the vocabulary.
    """

    def __init__(self, name: str, rule: str, min_count: int) -> None:
        self.name, self.rule, self.min_count = name, rule, min_count

    @abstractmethod
    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Take in the chosen rows of a chunk.

        Raises:
            DataError: a cell cannot be used, chosen or not.
        """

    @abstractmethod
    def finish(self) -> FittedField:
        """What was learnt."""


class CategoryFitter(Fitter):
    """Counts the values."""

    def __init__(self, name: str, rule: str, min_count: int) -> None:
        super().__init__(name, rule, min_count)
        self._counter = ValueCounter()

    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Count the values of the chosen rows."""
        self._counter.add(self._categories(chunk).take(rows))

    def finish(self) -> FittedField:
        """The vocabulary of the values that were seen often enough."""
        values, counts = self._counter.result()
        vocabulary = Vocabulary.fit(values, counts, self.min_count)
        missing, present = self._counter.missing, int(counts.sum())
        found = FieldCounts(len(counts), int(counts.max(initial=0)), missing, missing + present)
        return FittedField(self._field(len(vocabulary) + FIRST_ID), vocabulary, found)

    def _categories(self, chunk: Chunk) -> Categories:
        return chunk.categories(self.name)

    def _field(self, size: int) -> Field:
        return Field(self.name, FieldKind.CATEGORICAL, size)


class LogBucketFitter(CategoryFitter):
    """Counts Criteo's buckets as if they were values."""

    def _categories(self, chunk: Chunk) -> Categories:
        return log_buckets(chunk, self.name, self.rule)

    def _field(self, size: int) -> Field:
        return Field(self.name, FieldKind.BUCKETED, size, buckets=self.rule)


class QuantileFitter(Fitter):
    """Sketches the distribution of the numbers, whose quantiles become edges."""

    def __init__(self, name: str, rule: str, min_count: int) -> None:
        super().__init__(name, rule, min_count)
        self._sketch = QuantileSketch()
        self._missing, self._rows = 0, 0

    def observe(self, chunk: Chunk, rows: RowMask) -> None:
        """Take in the chosen rows."""
        x = chunk.numbers(self.name)[rows]
        present = x[~np.isnan(x)]
        self._missing += len(x) - len(present)
        self._rows += len(x)
        self._sketch.add(present)
        self._take(present)

    def finish(self) -> FittedField:
        """The field, without a vocabulary; different numbers are counted at the sketch's precision."""
        counts = FieldCounts(self._sketch.distinct, self._sketch.top_count, self._missing, self._rows)
        return FittedField(self._field(), None, counts)

    def _take(self, present: FloatArray) -> None:
        """What a rule needs beyond the sketch."""

    def _field(self) -> Field:
        edges = self._sketch.edges()
        return Field(self.name, FieldKind.BUCKETED, FIRST_ID + len(edges) + 1, buckets=QUANTILE, edges=edges)


class ScaleFitter(QuantileFitter):
    """Mean and standard deviation; the sketch serves the statistics only."""

    def __init__(self, name: str, rule: str, min_count: int) -> None:
        super().__init__(name, rule, min_count)
        self._moments = Moments()

    def _take(self, present: FloatArray) -> None:
        self._moments.add(present)

    def _field(self) -> Field:
        return Field(self.name, FieldKind.SCALED, 2, mean=self._moments.mean, std=self._moments.std)


FITTERS: dict[str, type[Fitter]] = {CATEGORY: CategoryFitter, QUANTILE: QuantileFitter, SCALE: ScaleFitter}
"""Any other rule is one of Criteo's buckets."""


class Fit(NamedTuple):
    """A fitted encoding, and per field what was counted on the way."""

    encoding: FittedEncoding
    counts: tuple[FieldCounts, ...]


def fit_encoding(source: Source, scan: Scan, options: DataOptions, progress: Progress) -> Fit:
    """Read the fields once and fit them on the training rows, or on all if the options say so.

    A field that has one value only is warned of.

    Raises:
        DataError: a cell cannot be used, or a chosen column can be no field.
    """
    rules = field_rules(source, options, scan.reserved)
    fitters = [FITTERS.get(rule, LogBucketFitter)(name, rule, options.min_count) for name, rule in rules.items()]
    fitted_on = np.ones(scan.rows, bool) if options.vocabulary_rows == "all" else scan.codes == 0
    for chunk in chunks_of(source, list(rules), most=scan.rows):
        for fitter in fitters:
            fitter.observe(chunk, fitted_on[chunk.span])
        progress("count", chunk.span.stop / scan.rows)
    found = []
    while fitters:  # each is let go before the next one builds its vocabulary
        found.append(fitters.pop(0).finish())
        if found[-1].counts.is_constant:
            logger.warning("field %r has only one value in the training rows; it cannot help", found[-1].field.name)
    schema = Schema(tuple(f.field for f in found), scan.label)
    return Fit(FittedEncoding.of(schema, [f.vocabulary for f in found]), tuple(f.counts for f in found))
