"""`FittedEncoding`: what was learnt from the training rows, and turns any rows into ids and values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.encoding.kinds import EncodedCell, FieldEncoder, NotPlain, field_encoder, native
from nas_fusion.data.encoding.numeric import within_float32
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import Schema
from nas_fusion.data.sources.cells import CellRules
from nas_fusion.data.sources.chunk import Chunk

Ids = npt.NDArray[np.int32]
Values = npt.NDArray[np.float32]


class EncodedRows(NamedTuple):
    """Rows, encoded.

    `ids` is int32 ``[rows, id columns]``; `values` float32 ``[rows, value columns]`` if any field has values; `numbers`
    float32 ``[rows, number columns]``, NaN where missing, if any field is a number.
    """

    ids: Ids
    values: Values | None = None
    numbers: Values | None = None

    def part(self, rows: slice) -> EncodedRows:
        """Some neighbouring rows."""
        values, numbers = (None if array is None else array[rows] for array in (self.values, self.numbers))
        return EncodedRows(self.ids[rows], values, numbers)

    @classmethod
    def joined(cls, parts: Sequence[EncodedRows]) -> EncodedRows:
        """The rows of several parts of one log, at least one part, one after another."""
        if len(parts) == 1:
            return parts[0]
        values = [part.values for part in parts if part.values is not None]
        numbers = [part.numbers for part in parts if part.numbers is not None]
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate(values) if values else None,
            np.concatenate(numbers) if numbers else None,
        )


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
        return self.schema.columns

    @property
    def vocabularies(self) -> tuple[Vocabulary | None, ...]:
        """Per field its vocabulary, if it has one."""
        return tuple(encoder.vocabulary for encoder in self.encoders)

    def encode(self, chunk: Chunk) -> EncodedRows:
        """Rows as ids, values and numbers.

        Raises:
            DataError: a column is missing, or a cell of a numeric field is not a finite number; names row and column.
        """
        schema = self.schema
        ids = np.empty((len(chunk), schema.id_columns), np.int32)
        values = np.empty((len(chunk), len(schema.value_fields)), np.float32)
        numbers = np.empty((len(chunk), len(schema.number_fields)), np.float32)
        places = _Places(schema)
        for position, encoder in enumerate(self.encoders):
            found = encoder.encode(chunk)
            ids[:, places.ids[position]] = found.ids.reshape(len(chunk), -1)
            if found.values is not None:
                values[:, places.values[position]] = found.values
            if position in places.numbers and found.numbers is not None:
                numbers[:, places.numbers[position]] = within_float32(found.numbers)
        return EncodedRows(ids, values if values.shape[1] else None, numbers if numbers.shape[1] else None)

    def encode_cells(self, rows: Sequence[Mapping[str, object]], rules: CellRules) -> EncodedRows:
        """A few rows, as Python has them, cell by cell: the same as `encode`, without what columns cost.

        Args:
            rows: column → cell; a missing cell is None.
            rules: how texts are read.

        Raises:
            NotPlain: a column or a cell has to be read as others are, or to be refused with a message.
        """
        schema = self.schema
        ids: list[int] = []
        values: list[float] = []
        numbers = np.empty((len(rows), len(schema.number_fields)))
        for place, row in enumerate(rows):
            for position, (column, encode_cell) in enumerate(self._cell_encoders):
                if column not in row:
                    raise NotPlain
                found = encode_cell(native(row[column]), rules)
                ids += found.ids
                if found.value is not None:
                    values.append(found.value)
                if position in self._number_places:
                    numbers[place, self._number_places[position]] = found.number
        return EncodedRows(
            np.array(ids, np.int32).reshape(len(rows), -1),
            within_float32(np.array(values)).reshape(len(rows), -1) if values else None,
            within_float32(numbers) if numbers.shape[1] else None,
        )

    @cached_property
    def _cell_encoders(self) -> tuple[tuple[str, Callable[[object, CellRules], EncodedCell]], ...]:
        """Per field its column and what encodes a cell."""
        return tuple((encoder.field.column, encoder.encode_cell) for encoder in self.encoders)

    @cached_property
    def _number_places(self) -> dict[int, int]:
        return _Places(self.schema).numbers


class _Places:
    """Which columns of the arrays belong to which field."""

    def __init__(self, schema: Schema) -> None:
        stops = np.cumsum([shape.columns for shape in schema.field_shapes])
        widths = [shape.columns for shape in schema.field_shapes]
        self.ids = [slice(stop - width, stop) for stop, width in zip(stops.tolist(), widths, strict=True)]
        self.values = {position: column for column, position in enumerate(schema.value_fields)}
        self.numbers = {position: column for column, position in enumerate(schema.number_fields)}
