"""What the columns of an encoded data set are: `FieldKind`, `Field`, `Schema`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import FieldForm, FieldShape, id_column_count, value_fields_of

SPLITS = ("train", "valid", "test")
"""The splits of a data set, in the order of their codes."""

MISSING_ID = 0
"""Every field's id of a missing value."""

UNKNOWN_ID = 1
"""Every field's id of a value that is out of its vocabulary."""

FIRST_ID = 2
"""The id of the most frequent value of a vocabulary."""


class FieldKind(StrEnum):
    """How cells become ids."""

    CATEGORICAL = "categorical"
    """One id per value of the vocabulary."""

    HASHED = "hashed"
    """One id per hash of the value; needs no vocabulary."""

    BUCKETED = "bucketed"
    """A number; one id per bucket."""

    INTERPOLATED = "interpolated"
    """A number; the id of the knot below it, and how far it is towards the knot above."""

    SCALED = "scaled"
    """A number; one id, and the standardised number next to it."""

    LIST = "list"
    """Several values at once; one id per item of the vocabulary."""

    @property
    def form(self) -> FieldForm:
        """How ids and value become a vector."""
        return _FORMS.get(self, FieldForm.ID)


_FORMS = {
    FieldKind.INTERPOLATED: FieldForm.INTERPOLATED,
    FieldKind.SCALED: FieldForm.SCALED,
    FieldKind.LIST: FieldForm.LIST,
}


class CellPart(StrEnum):
    """What of a cell a field is about."""

    WHOLE = "whole"
    HOUR = "hour"
    """Of a time, 0 to 23."""

    WEEKDAY = "weekday"
    """Of a time; Monday is 0."""

    DAY = "day"
    """Of a time, days since the first training row, with fractions."""

    LENGTH = "length"
    """Of a list, its number of items."""


@dataclass(frozen=True)
class CellForm:
    """How the cells of a column are read.

    Args:
        delimiter: of a list in a text; empty if cells are lists by their type.
        time: of a time, how it is written (`nas_fusion.data.times.TimeForm`).
        start: of a time, where days are counted from, in microseconds since 1970.
        odd_allowed: whether a cell that is no number is missing, and not an error.
        whole: whether 7.0 is the same value as 7.
        decorated: whether a number may have signs around it: $1,270.00 is 1270.
    """

    delimiter: str = ""
    time: str = ""
    start: int = 0
    odd_allowed: bool = field(default=False, compare=False)  # the same ids, however strict
    whole: bool = False
    decorated: bool = False


AS_THEY_ARE = CellForm()
"""Cells that need no further word."""


@dataclass(frozen=True)
class Field:
    """One field of an encoded data set.

    Args:
        name: of the field.
        kind: how it is encoded.
        size: number of ids that an embedding needs. Id 0 stands for a missing value and id 1 for one out of the
            vocabulary, except in a scaled field, where 0 stands for missing and 1 for present.
        column: of the log; called like the field if not given.
        part: what of the column's cells it is about.
        cells: how they are read.
        buckets: of a bucketed field, "log" (Criteo's rule), "log-published" (the same as published) or "bins".
        knots: of numbers, ascending: `nas_fusion.data.encoding.bins.Bins`.
        exact: of numbers, ascending: those that have an id of their own.
        mean: of a scaled field, its mean over the training rows.
        std: of a scaled field, its standard deviation over the training rows.
        columns: of a list, how many items are kept, the last ones.
        number: the column of a split's `numbers` that holds its numbers as they stand in the log; None if there are
            none. Two fields of one column share it.
    """

    name: str
    kind: FieldKind
    size: int
    column: str = ""
    part: CellPart = CellPart.WHOLE
    cells: CellForm = AS_THEY_ARE
    buckets: str = ""
    knots: tuple[float, ...] = ()
    exact: tuple[float, ...] = ()
    mean: float = 0.0
    std: float = 1.0
    columns: int = 1
    number: int | None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError("size", "a positive integer", self.size)
        if not self.column:
            object.__setattr__(self, "column", self.name)

    @property
    def shape(self) -> FieldShape:
        """What a model has to know about it."""
        return FieldShape(self.size, self.kind.form, self.columns)

    @property
    def is_number(self) -> bool:
        """Whether its cells are read as numbers."""
        return self.kind in (FieldKind.BUCKETED, FieldKind.INTERPOLATED, FieldKind.SCALED)

    @property
    def needs_vocabulary(self) -> bool:
        """Whether its ids are those of a vocabulary, without which no cell can be looked up."""
        return self.kind in (FieldKind.CATEGORICAL, FieldKind.LIST) or self.buckets.startswith(LOG_BUCKETS)

    def to_dict(self) -> dict[str, Any]:
        """The field as plain values, for JSON; what is as it usually is, is left out."""
        usual = asdict(Field(self.name, self.kind, self.size))
        return {key: value for key, value in asdict(self).items() if key in _ALWAYS or value != usual[key]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Field:
        """What `to_dict` made."""
        read = dict(content)
        read["kind"] = FieldKind(read["kind"])
        read["part"] = CellPart(read.get("part", CellPart.WHOLE))
        read["cells"] = CellForm(**read.get("cells", {}))
        for numbers in ("knots", "exact"):
            read[numbers] = tuple(read.get(numbers, ()))
        return cls(**read)


_ALWAYS = ("name", "kind", "size")
LOG_BUCKETS = "log"
"""Begins the name of every rule by which numbers become Criteo's buckets, which are then looked up as values."""


@dataclass(frozen=True)
class Schema:
    """The fields of an encoded data set, in the order of the columns of its ids, and the name of its label."""

    fields: tuple[Field, ...]
    label: str

    @property
    def field_sizes(self) -> tuple[int, ...]:
        """The number of ids of every field."""
        return tuple(f.size for f in self.fields)

    @property
    def field_shapes(self) -> tuple[FieldShape, ...]:
        """What a model has to know about every field."""
        return tuple(f.shape for f in self.fields)

    @property
    def value_fields(self) -> tuple[int, ...]:
        """The positions of the fields with a value, in the order of the columns of the values."""
        return value_fields_of(self.field_shapes)

    @property
    def id_columns(self) -> int:
        """The number of columns of the ids: one per field, and of a list as many as it keeps items."""
        return id_column_count(self.field_shapes)

    @property
    def number_fields(self) -> tuple[int, ...]:
        """The positions of the fields whose numbers are kept as they are, in the order of the columns of the numbers;
        the first one where two fields share a column."""
        found: dict[int, int] = {}
        for position, one in enumerate(self.fields):
            if one.number is not None:
                found.setdefault(one.number, position)
        return tuple(found[number] for number in sorted(found))

    @property
    def number_columns(self) -> tuple[str, ...]:
        """The names of the fields whose numbers are kept as they are, in the order of the columns of the numbers."""
        return tuple(self.fields[position].name for position in self.number_fields)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the log that the fields are made of."""
        return tuple(dict.fromkeys(f.column for f in self.fields))

    @property
    def num_features(self) -> int:
        """The number of ids of all fields together."""
        return sum(self.field_sizes)

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain values, for JSON."""
        return {"label": self.label, "fields": [f.to_dict() for f in self.fields]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Schema:
        """What `to_dict` made."""
        return cls(tuple(Field.from_dict(f) for f in content["fields"]), content["label"])


def with_number_columns(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Fields that know which column of the numbers is theirs."""
    columns: dict[tuple[str, CellPart], int] = {}
    return tuple(
        replace(one, number=columns.setdefault((one.column, one.part), len(columns)) if one.is_number else None)
        for one in fields
    )
