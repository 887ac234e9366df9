"""`FittedEncoding`: what was learnt from the training rows, and turns any rows into ids and values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nas_fusion.data.encoding.numeric import log_bucket, quantile_bucket
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import FIRST_ID, MISSING_ID, Field, FieldKind, Schema
from nas_fusion.data.sources.cells import Categories, categories
from nas_fusion.data.sources.chunk import Chunk

CATEGORY, SCALE, LOG, LOG_PUBLISHED, QUANTILE = "category", "scale", "log", "log-published", "quantile"
"""The rules by which a field is encoded; of a bucketed field, they are its `buckets`."""

PRESENT_ID = 1
"""Id of a number that is not missing, in a scaled field."""

Ids = npt.NDArray[np.int32]
Values = npt.NDArray[np.float32]


class EncodedColumn(NamedTuple):
    """A column as ids, int32 ``[rows]``, and, if it is scaled, as numbers, float32 ``[rows]``."""

    ids: Ids
    values: Values | None = None


class EncodedRows(NamedTuple):
    """Rows as ids, int32 ``[rows, fields]``, and, if any field is scaled, values, float32 ``[rows, scaled fields]``."""

    ids: Ids
    values: Values | None


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


class CategoryEncoder(FieldEncoder):
    """One id per value of the vocabulary."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Look up every value."""
        assert self.vocabulary is not None
        found = self._categories(chunk)
        ids = np.append(self.vocabulary.ids(found.values), np.int32(MISSING_ID))  # code -1 picks the last
        return EncodedColumn(ids[found.codes])

    def _categories(self, chunk: Chunk) -> Categories:
        return chunk.categories(self.field.name)


class LogBucketEncoder(CategoryEncoder):
    """Criteo's logarithmic buckets; a bucket is then treated as a category."""

    def _categories(self, chunk: Chunk) -> Categories:
        return log_buckets(chunk, self.field.name, self.field.buckets)


class QuantileEncoder(FieldEncoder):
    """One id per bucket, edges at quantiles of the training rows."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """The bucket of every number."""
        x = chunk.numbers(self.field.name)
        missing = np.isnan(x)
        ids = quantile_bucket(np.where(missing, 0.0, x), self.field.edges) + FIRST_ID
        return EncodedColumn(np.where(missing, MISSING_ID, ids).astype(np.int32))


class ScaleEncoder(FieldEncoder):
    """Standardised by the training rows; a missing value gets id 0 and the value 1, so that its vector counts."""

    def encode(self, chunk: Chunk) -> EncodedColumn:
        """Ids 0 (missing) and 1 (present), and the standardised numbers."""
        x = chunk.numbers(self.field.name)
        missing = np.isnan(x)
        scaled = (x - self.field.mean) / self.field.std
        return EncodedColumn(
            np.where(missing, MISSING_ID, PRESENT_ID).astype(np.int32),
            np.where(missing, 1.0, scaled).astype(np.float32),
        )


def log_buckets(chunk: Chunk, name: str, rule: str) -> Categories:
    """A column of numbers as Criteo's buckets, each a category named by its number.

    Raises:
        DataError: a cell is not a finite number.
    """
    x = chunk.numbers(name)
    missing = np.isnan(x)
    buckets = log_bucket(np.where(missing, 0.0, x), published=rule == LOG_PUBLISHED)
    return categories(pa.array(buckets, mask=missing))


ENCODERS: dict[str, type[FieldEncoder]] = {
    CATEGORY: CategoryEncoder,
    LOG: LogBucketEncoder,
    LOG_PUBLISHED: LogBucketEncoder,
    QUANTILE: QuantileEncoder,
    SCALE: ScaleEncoder,
}


def field_encoder(field: Field, vocabulary: Vocabulary | None) -> FieldEncoder:
    """The encoder of a fitted field."""
    rule = {FieldKind.CATEGORICAL: CATEGORY, FieldKind.SCALED: SCALE}.get(field.kind, field.buckets)
    return ENCODERS[rule](field, vocabulary)


@dataclass(frozen=True, eq=False)
class FittedEncoding:
    """How rows become ids and values: a value that knows no log, so that an artefact can carry it.

    The same rows give the same ids, whether they come from the log that it was fitted on or from anywhere else.

    Args:
        schema: the fields in the order of the columns of the ids, and the label.
        encoders: one per field.
    """

    schema: Schema
    encoders: tuple[FieldEncoder, ...]

    @classmethod
    def of(cls, schema: Schema, vocabularies: Sequence[Vocabulary | None]) -> FittedEncoding:
        """The encoding that a schema and, per field, its vocabulary describe in full."""
        encoders = zip(schema.fields, vocabularies, strict=True)
        return cls(schema, tuple(field_encoder(field, vocabulary) for field, vocabulary in encoders))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `encode` needs."""
        return tuple(field.name for field in self.schema.fields)

    @property
    def vocabularies(self) -> tuple[Vocabulary | None, ...]:
        """Per field its vocabulary, if it has one."""
        return tuple(encoder.vocabulary for encoder in self.encoders)

    def encode(self, chunk: Chunk) -> EncodedRows:
        """Rows as ids, int32 ``[rows, fields]``, and values, float32 ``[rows, scaled fields]`` (None without any).

        Raises:
            DataError: a column is missing, or a cell of a numeric field is not a finite number; names row and column.
        """
        ids = np.empty((len(chunk), len(self.encoders)), np.int32)
        values = []
        for position, encoder in enumerate(self.encoders):
            ids[:, position], scaled = encoder.encode(chunk)
            if scaled is not None:
                values.append(scaled)
        return EncodedRows(ids, np.stack(values, axis=1) if values else None)
