"""What the columns of an encoded data set are: `FieldKind`, `Field`, `Schema`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import FieldForm, FieldShape

SPLITS = ("train", "valid", "test")
"""The splits of a data set, in the order of their codes."""

MISSING_ID = 0
"""Every field's id of a missing value."""

UNKNOWN_ID = 1
"""Every field's id of a value that is out of its vocabulary."""

FIRST_ID = 2
"""The id of the most frequent value of a vocabulary."""


class FieldKind(StrEnum):
    """How a column becomes ids."""

    CATEGORICAL = "categorical"
    """One id per value of the vocabulary."""

    BUCKETED = "bucketed"
    """A number; one id per bucket."""

    SCALED = "scaled"
    """A number; one id, and the standardised number next to it."""


@dataclass(frozen=True)
class Field:
    """One column of an encoded data set.

    Args:
        name: the column's name.
        kind: how it is encoded.
        size: number of ids that an embedding needs. Id 0 stands for a missing value and id 1 for one out of the
            vocabulary, except in a scaled field, where 0 stands for missing and 1 for present.
        buckets: of a bucketed field, "log" (Criteo's rule), "log-published" (the same as published) or "quantile".
        edges: of quantile buckets, their inner edges in ascending order; an edge belongs to the bucket above it.
        mean: of a scaled field, its mean over the training rows.
        std: of a scaled field, its standard deviation over the training rows.
    """

    name: str
    kind: FieldKind
    size: int
    buckets: str = ""
    edges: tuple[float, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError("size", "a positive integer", self.size)

    @property
    def shape(self) -> FieldShape:
        """What a model has to know about it."""
        return FieldShape(self.size, FieldForm.SCALED if self.kind is FieldKind.SCALED else FieldForm.ID)

    def to_dict(self) -> dict[str, Any]:
        """The field as plain values, for JSON."""
        return {**asdict(self), "kind": str(self.kind), "edges": list(self.edges)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Field:
        """What `to_dict` made."""
        return cls(**{**content, "kind": FieldKind(content["kind"]), "edges": tuple(content["edges"])})


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
    def value_fields(self) -> tuple[int, ...]:
        """The positions of the scaled fields, in the order of the columns of the values."""
        return tuple(i for i, f in enumerate(self.fields) if f.kind is FieldKind.SCALED)

    @property
    def field_shapes(self) -> tuple[FieldShape, ...]:
        """What a model has to know about every field."""
        return tuple(f.shape for f in self.fields)

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
