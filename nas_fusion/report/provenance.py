"""What computed the cells of a comparison, and in what that differs between them.

A record's `provenance` says under which versions of the packages, on which device, with how many threads and in which
precision its cell was computed. Numbers of cells that differ in it are not quite comparable: sums in another order are
other numbers, and another version may be another method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord

UNRECORDED = "not recorded"
"""Stands for what a record does not say: it is older than its nas-fusion's habit of saying so."""

_CELLS_IN_WORDS = 6
_OF_SEARCH = " of the search"


class Difference(NamedTuple):
    """One thing that was not the same for all cells.

    `name` is a package, or ``device``, ``threads`` or ``precision``; `values` has each of its values with the cells
    (strategy and seed) that were computed with it, the commonest first.
    """

    name: str
    values: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]

    def __str__(self) -> str:
        """One line: the cells of the commonest value are counted, those of the others are named."""
        (usual, most), *others = self.values
        told = [f"{usual} ({_count(len(most))})", *(f"{value} ({_named(cells)})" for value, cells in others)]
        return f"{self.name}: {', '.join(told)}"


def differences(records: Sequence[CellRecord]) -> tuple[Difference, ...]:
    """In what the cells' provenance differs; nothing if all were computed by the same, or none says by what."""
    told = [((record.strategy, record.seed), facts(record.provenance)) for record in records]
    names = dict.fromkeys(name for _, own in told for name in own)
    differences = (Difference(name, _by_value((_value(own, name), cell) for cell, own in told)) for name in names)
    return tuple(difference for difference in differences if len(difference.values) > 1)


def changes(records: Sequence[CellRecord], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """In what cells differ from what would be computed now; a record that says nothing is passed over.

    Returns:
        The values that are not today's, with their cells.
    """
    told = [((record.strategy, record.seed), facts(record.provenance)) for record in records if record.provenance]
    differences = []
    for name, today in facts(now).items():
        others = _by_value((v, cell) for cell, f in told if (v := f.get(name, UNRECORDED)) != today)
        differences.append(Difference(name, others))
    return tuple(difference for difference in differences if difference.values)


def facts(provenance: Mapping[str, Any]) -> dict[str, str]:
    """What computed a record, as words by name, packages first; not on what data, which a comparison's cells share."""
    versions = provenance.get("versions", {})
    rest = {name: value for name, value in provenance.items() if name not in ("versions", "data", "search")}
    own = {name: str(value) for name, value in {**versions, **rest}.items()}
    search = facts(provenance["search"]) if "search" in provenance else {}
    return own | {f"{name}{_OF_SEARCH}": value for name, value in search.items() if value != own.get(name)}


def _value(told: Mapping[str, str], name: str) -> str:
    # A search is told of where it differs from its cell only.
    return told.get(name) or told.get(name.removesuffix(_OF_SEARCH)) or UNRECORDED


def cells_in_words(cells: Sequence[tuple[str, int]]) -> str:
    """Cells by name, as "random seeds 0, 1; tpe seed 0"."""
    seeds: dict[str, list[int]] = {}
    for strategy, seed in cells:
        seeds.setdefault(strategy, []).append(seed)
    return "; ".join(f"{name} seed{'s' * (len(s) > 1)} {', '.join(map(str, s))}" for name, s in seeds.items())


def _by_value(told: Iterable[tuple[str, tuple[str, int]]]) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    groups: dict[str, list[tuple[str, int]]] = {}
    for value, cell in told:
        groups.setdefault(value, []).append(cell)
    # Stable, so of two that are equally common the one of the first cell is first.
    return tuple((value, tuple(cells)) for value, cells in sorted(groups.items(), key=lambda g: -len(g[1])))


def _count(number: int) -> str:
    return f"{number} cell{'s' * (number != 1)}"


def _named(cells: Sequence[tuple[str, int]]) -> str:
    return cells_in_words(cells) if len(cells) <= _CELLS_IN_WORDS else _count(len(cells))
