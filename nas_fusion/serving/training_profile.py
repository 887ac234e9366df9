"""`FieldProfile`: what the cells of a field were like in training, so that later rows can be held against it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nas_fusion.data import MISSING_ID, UNKNOWN_ID, EncodedSplit, Schema
from nas_fusion.data.schema import Field, FieldKind
from nas_fusion.field_shapes import PAD

ROWS = 1_000_000
"""Of a longer split so many rows are looked at, evenly spread: shares of some percent are then known to a hundredth."""

PARTS = 10
"""Equal parts of a field of numbers, and the usual number for the population stability index."""

VALUES = 20
"""The most frequent values of any other field, each of which is a bin; the others share one."""

FIELDS = "fields"
"""What ``profile.json`` holds: a profile per field."""

LEAST_SHARE = 1e-4
"""An empty bin counts as one of so few cells, so that the index stays finite."""

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FieldProfile:
    """Where the cells of a field lie.

    Args:
        name: of the field.
        size: its ids in training; an id from there on was unknown then.
        shares: of all cells (items, of a list): of those missing, of those that no id stands for, and of the others bin
            by bin, 0 to 1.
        edges: of numbers, ascending: the bins lie between them.
        ids: of anything else, the most frequent ones, a bin each; the last bin holds the others.
    """

    name: str
    size: int
    shares: tuple[float, ...]
    edges: tuple[float, ...] = ()
    ids: tuple[int, ...] = ()

    @property
    def missing(self) -> float:
        """The share of missing cells."""
        return self.shares[0]

    @property
    def unknown(self) -> float:
        """The share of cells that no id stands for."""
        return self.shares[1]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> FieldProfile:
        """What `to_dict` made, after a trip through JSON."""
        tuples = {name: tuple(content[name]) for name in ("shares", "edges", "ids")}
        return cls(content["name"], content["size"], **tuples)

    def of(self, cells: Cells) -> FieldProfile:
        """The profile of other cells of the field, in the same bins."""
        return FieldProfile(self.name, self.size, tuple(_shares(cells, self).tolist()), self.edges, self.ids)

    def stability_index(self, other: FieldProfile) -> float:
        """The population stability index (PSI): the sum over bins of ``(q - p) · ln(q / p)``; 0 where all is as it was.

        Args:
            other: profile of other cells in the same bins (`of`).
        """
        p, q = (np.maximum(np.array(one.shares), LEAST_SHARE) for one in (self, other))
        return float(((q - p) * np.log(q / p)).sum())


def profile_text(found: Sequence[FieldProfile]) -> str:
    """What ``profile.json`` says."""
    return json.dumps({FIELDS: [one.to_dict() for one in found]}) + "\n"


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one field.

    Args:
        ids: int32 ``[cells]``, no pads.
        numbers: float32 ``[cells]``, NaN where missing, of a field of numbers.
        unknown: whether `UNKNOWN_ID` stands for a value that no id stands for.
    """

    ids: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.float32] | None
    unknown: bool


def profiles(schema: Schema, split: EncodedSplit) -> list[FieldProfile]:
    """What every field of a split is like."""
    return [_profile(field, cells) for field, cells in zip(schema.fields, cells_of(schema, split), strict=True)]


def cells_of(schema: Schema, split: EncodedSplit) -> list[Cells]:
    """The cells of every field, of at most `ROWS` rows."""
    rows = np.unique(np.linspace(0, len(split) - 1, min(ROWS, len(split))).astype(np.int64))
    ids = np.asarray(split.ids[rows])
    numbers = None if split.numbers is None else np.asarray(split.numbers[rows])
    found, first = [], 0
    for field in schema.fields:
        mine = ids[:, first : first + field.columns].ravel()
        first += field.columns
        own = None if field.number is None or numbers is None else numbers[:, field.number]
        found.append(Cells(mine[mine != PAD] if field.columns > 1 else mine, own, _has_unknown(field)))
    return found


def _has_unknown(field: Field) -> bool:
    """Id 1 of a scaled field stands for a number that is there, and a hash knows every value."""
    return field.kind is not FieldKind.SCALED


def _profile(field: Field, cells: Cells) -> FieldProfile:
    edges: Sequence[float] = ()
    ids: Sequence[int] = ()
    if cells.numbers is not None:
        there = cells.numbers[~np.isnan(cells.numbers)].astype(np.float64)
        if len(there):
            edges = np.unique(np.quantile(there, np.arange(1, PARTS) / PARTS)).tolist()
    else:
        counts = np.bincount(cells.ids, minlength=field.size)
        counts[[MISSING_ID, UNKNOWN_ID]] = 0
        often = np.argsort(-counts, kind="stable")[:VALUES]
        ids = often[counts[often] > 0].tolist()
    empty = FieldProfile(field.name, field.size, (), tuple(edges), tuple(ids))
    return empty.of(cells)


def _shares(cells: Cells, profile: FieldProfile) -> Shares:
    """As of `FieldProfile.shares`."""
    if cells.numbers is not None:
        missing = np.isnan(cells.numbers)
        place = np.searchsorted(np.array(profile.edges), cells.numbers.astype(np.float64), side="right") + 2
        bins = len(profile.edges) + 1
    else:
        missing = cells.ids == MISSING_ID
        of_id = np.full(max(profile.size, int(cells.ids.max(initial=0)) + 1), len(profile.ids) + 2)
        of_id[list(profile.ids)] = np.arange(len(profile.ids)) + 2
        of_id[profile.size :] = 1
        if cells.unknown:
            of_id[UNKNOWN_ID] = 1
        place = of_id[cells.ids]
        bins = len(profile.ids) + 1
    place = np.where(missing, 0, place)
    counts = np.bincount(place, minlength=bins + 2)
    return counts / max(1, len(place))
