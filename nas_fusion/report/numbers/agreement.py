"""How much the designs that a strategy found with different seeds agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from nas_fusion.architecture import Architecture, Found
from nas_fusion.design import (
    DEEP_VARIANTS,
    OPERATIONS,
    SHALLOW_VARIANTS,
    FusionDesign,
    candidate_connections,
    connection_label,
    fused_blocks,
    operation_label,
    variant_blocks,
)
from nas_fusion.report.design_words import block_label
from nas_fusion.report.number_words import flat
from nas_fusion.report.numbers.summaries import Groups


class Agreement(NamedTuple):
    """Of one strategy's designs.

    `equal`: mean over the pairs of seeds of the share of choices that are equal. `live`: the same for the Jaccard
    index of the live connections (those through which the output can be reached); None where what was found is no
    point of the fusion space. `distinct`: how many different designs there are among `seeds`.
    """

    strategy: str
    seeds: int
    distinct: int
    equal: float
    live: float | None


class Shares(NamedTuple):
    """Over the seeds of each strategy, how often a choice was taken: ``values[row][column]``, 0 … 1."""

    labels: tuple[str, ...]
    strategies: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


def choices(found: Found) -> Mapping[str, Any]:
    """Every choice by name: connections and operations, or an architecture's settings."""
    return flat(found.settings) if isinstance(found, Architecture) else found.to_sample()


def equal_share(a: Found, b: Found) -> float:
    """The share of the choices that either makes in which both agree; 1 where there is nothing to choose."""
    left, right = choices(a), choices(b)
    names = set(left) | set(right)
    same = sum(n in left and n in right and left[n] == right[n] for n in names)
    return same / len(names) if names else 1.0


def live_jaccard(a: FusionDesign, b: FusionDesign) -> float:
    """Live connections that both have, of those that either has; 1 where neither has any."""
    left, right = set(a.pruned().connections), set(b.pruned().connections)
    return len(left & right) / len(left | right) if left | right else 1.0


def chance(levels: int, *, has_variants: bool = False) -> float:
    """The expected `equal_share` of two designs drawn at random: half of the connections, one operation in four.

    And of what stands in the blocks' places, where a design says that, one in as many as the space ``wide`` offers.
    """
    connections, operations = len(candidate_connections(levels)), len(fused_blocks(levels))
    kinds = [1 / len(DEEP_VARIANTS if b.startswith("deep") else SHALLOW_VARIANTS) for b in variant_blocks(levels)]
    variants = kinds if has_variants else []
    equal = connections / 2 + operations / len(OPERATIONS) + sum(variants)
    return equal / (connections + operations + len(variants))


def agreements(groups: Groups) -> list[Agreement]:
    """Of every searching strategy with two seeds or more, in the order of the records."""
    return [_agreement(name, [r.design for r in group]) for name, group in _searched(groups).items() if len(group) > 1]


def _searched(groups: Groups) -> Groups:
    return {name: group for name, group in groups.items() if group[0].kind != "reference"}


def _agreement(strategy: str, found: Sequence[Found]) -> Agreement:
    pairs = list(combinations(found, 2))
    designs = [d for d in found if isinstance(d, FusionDesign)]
    live = None
    if len(designs) == len(found):
        live = sum(live_jaccard(a, b) for a, b in combinations(designs, 2)) / len(pairs)
    return Agreement(strategy, len(found), len(set(found)), sum(equal_share(a, b) for a, b in pairs) / len(pairs), live)


def _fusion_groups(groups: Groups) -> dict[str, list[FusionDesign]]:
    """The designs of every searching strategy over the fusion space, if all of them have as many levels."""
    found = {n: [r.design for r in g if isinstance(r.design, FusionDesign)] for n, g in _searched(groups).items()}
    found = {n: designs for n, designs in found.items() if designs}
    return found if len({d.levels for designs in found.values() for d in designs}) == 1 else {}


def open_shares(groups: Groups) -> Shares | None:
    """How often every candidate connection is open, per searching strategy; None without designs of one size."""
    found = _fusion_groups(groups)
    if not found:
        return None
    levels = next(iter(found.values()))[0].levels
    rows = {
        f"{block_label(s)} → {block_label(t)}": (connection_label(s, t), 1) for s, t in candidate_connections(levels)
    }
    return _shares(found, rows)


def operation_shares(groups: Groups) -> Shares | None:
    """How often every block has every operation, per searching strategy; None without designs of one size."""
    found = _fusion_groups(groups)
    if not found:
        return None
    designs = [d for g in found.values() for d in g]
    known = dict.fromkeys((*OPERATIONS, *(op for d in designs for _, op in d.operations)))
    blocks = fused_blocks(designs[0].levels)
    return _shares(found, {f"{block_label(b)}: {op}": (operation_label(b), op) for b in blocks for op in known})


def _shares(groups: Mapping[str, Sequence[FusionDesign]], rows: Mapping[str, tuple[str, str | int]]) -> Shares:
    samples = {name: [d.to_sample() for d in group] for name, group in groups.items()}
    values = tuple(
        tuple(sum(s[label] == value for s in found) / len(found) for found in samples.values())
        for label, value in rows.values()
    )
    return Shares(tuple(rows), tuple(groups), values)
