"""Every strategy against one of them, by pairs, and what may be said about it."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from nas_fusion.errors import OptionError, UnknownNameError
from nas_fusion.statistics.paired_comparison import SMALLEST_DIFFERENCE, Call, PairedComparison
from nas_fusion.statistics.paired_tests import (
    holm,
    paired_t,
    pairs_needed,
    spread_of_runs,
    standard_deviation,
    unpaired_p,
)

Block = TypeVar("Block", bound=Hashable)


def compare_with_reference(
    scores: Mapping[str, Mapping[Block, float]],
    reference: str,
    *,
    level: float = 0.05,
    smallest_difference: float = SMALLEST_DIFFERENCE,
    chosen_from: Collection[str] | None = None,
) -> list[PairedComparison]:
    """Compare every strategy with the reference: paired t-tests over the blocks that both have, corrected by Holm.

    Args:
        scores: strategy → block → value, higher is better. A block is what the strategies share: a seed, say.
        reference: one of the strategies.
        level: the largest probability of any false call among all comparisons.
        smallest_difference: a smaller one is a tie, however sure.
        chosen_from: if the reference was not fixed beforehand, but is the one with the best runs of these strategies
            (validation counts, too: it goes with test). The best of several equal strategies was lucky, so that
            comparing it with the others as if it had been picked blindly calls false differences too often. Holm then
            counts the comparisons of every strategy that could have been the reference.

    Returns:
        One comparison per other strategy, in the order of `scores`.

    Raises:
        UnknownNameError: the reference is not among the strategies.
        OptionError: a level or limit out of range, or `chosen_from` without the reference.
    """
    check_arguments(scores, reference, level, smallest_difference, chosen_from)
    rest = [n for n in scores if n != reference]
    shown = [_compare(scores, n, reference, level, smallest_difference) for n in rest]
    unshown = unshown_pairs(rest, chosen_from)
    family = correct([*shown, *(_compare(scores, a, b, level, smallest_difference) for a, b in unshown)])
    counted = sum(c.p_value is not None for c in family)
    return [judge(c, math.nan if c.is_significant else _sd(scores, c), counted) for c in family[: len(rest)]]


def compare_each(
    scores: Mapping[str, tuple[Mapping[Block, float], Mapping[Block, float]]],
    rival: str,
    *,
    level: float = 0.05,
    smallest_difference: float = SMALLEST_DIFFERENCE,
) -> list[PairedComparison]:
    """Compare every strategy with a rival of its own: paired t-tests, corrected by Holm over all of them.

    Args:
        scores: strategy → its values and its rival's, block → value, higher is better.
        rival: what the comparisons call the rivals.
        level, smallest_difference: as of `compare_with_reference`.

    Returns:
        One comparison per strategy, in the order of `scores`; how many pairs are needed is not told.
    """
    pairs = {name: {name: own, rival: other} for name, (own, other) in scores.items()}
    found = correct([_compare(pair, name, rival, level, smallest_difference) for name, pair in pairs.items()])
    counted = sum(one.p_value is not None for one in found)
    return [judge(one, math.nan, counted) for one in found]


def unshown_pairs(rest: Sequence[str], chosen_from: Collection[str] | None) -> list[tuple[str, str]]:
    """The comparisons that would have been shown, had the choice of the reference fallen on another strategy."""
    return [(a, b) for a, b in combinations(rest, 2) if chosen_from and (a in chosen_from or b in chosen_from)]


def check_arguments(
    scores: Mapping[str, object],
    reference: str,
    level: float,
    smallest_difference: float,
    chosen_from: Collection[str] | None,
) -> None:
    """Refuse an unknown reference or one that was not chosen, and limits out of range."""
    if reference not in scores:
        raise UnknownNameError("reference", reference, scores)
    if not 0 < level < 1:
        raise OptionError("level", "between 0 and 1", level)
    if not (math.isfinite(smallest_difference) and smallest_difference >= 0):
        raise OptionError("smallest_difference", "a finite number, at least 0", smallest_difference)
    if chosen_from is not None and reference not in chosen_from:
        raise OptionError("chosen_from", f"names with the reference {reference!r} among them", list(chosen_from))


def paired_values(a: Mapping[Block, float], b: Mapping[Block, float]) -> tuple[np.ndarray, np.ndarray, int]:
    """The finite values of the blocks that both have, in one order, and how many blocks were left out."""
    shared = [(float(a[k]), float(b[k])) for k in a if k in b]
    finite = np.array([p for p in shared if math.isfinite(p[0]) and math.isfinite(p[1])], dtype=float).reshape(-1, 2)
    return finite[:, 0], finite[:, 1], len(shared) - len(finite)


def _compare(
    scores: Mapping[str, Mapping[Block, float]], name: str, reference: str, level: float, smallest: float
) -> PairedComparison:
    """The test alone: not yet corrected, and no verdict."""
    a, b, left_out = paired_values(scores[name], scores[reference])
    blocks = [k for k in scores[name] if k in scores[reference]]
    known = PairedComparison(
        name=name,
        reference=reference,
        difference=float((a - b).mean()) if len(a) else math.nan,
        interval=None,
        p_value=None,
        p_corrected=None,
        pairs=len(a),
        verdict="unknown",
        pairs_needed=None,
        left_out=left_out,
        level=level,
        smallest_difference=smallest,
        unit="seed" if all(isinstance(k, int) for k in blocks) else "pair",
    )
    if len(a) < 2:
        return known
    test = paired_t(a - b, level)
    return replace(known, interval=test.interval, p_value=test.p_value, p_unpaired=unpaired_p(a, b))


def _sd(scores: Mapping[str, Mapping[Block, float]], comparison: PairedComparison) -> float:
    """Of a pair's difference, the larger of the two estimates that the two tests use."""
    a, b, _ = paired_values(scores[comparison.name], scores[comparison.reference])
    return max(standard_deviation(a - b), spread_of_runs(a, b).sd) if len(a) > 1 else math.nan


def correct(comparisons: list[PairedComparison]) -> list[PairedComparison]:
    """Holm over those that have a p-value."""
    adjusted = iter(holm([c.p_value for c in comparisons if c.p_value is not None]))
    return [c if c.p_value is None else replace(c, p_corrected=next(adjusted)) for c in comparisons]


def judge(comparison: PairedComparison, sd: float, family: int) -> PairedComparison:
    """The verdict of a corrected comparison, and how many pairs it lacks.

    Args:
        comparison: with a corrected p-value, or None.
        sd: of a pair's difference; NaN where the number of pairs needed is not to be told, as of a significant one.
        family: how many comparisons the correction counted.
    """
    if comparison.p_corrected is None:
        return comparison
    if comparison.is_significant:
        matters = abs(comparison.difference) >= comparison.smallest_difference
        call: Call = "tie" if not matters else "better" if comparison.difference > 0 else "worse"
        return replace(comparison, verdict=call)
    return replace(comparison, verdict="tie", pairs_needed=_lacking(comparison, sd, family))


def _lacking(comparison: PairedComparison, sd: float, family: int) -> int | None:
    size = max(abs(comparison.difference), comparison.smallest_difference)
    if not sd > 0 or size == 0:
        return None
    # Divided by the family: found whatever the other comparisons turn out to be.
    needed = pairs_needed(size, sd, level=comparison.level / family)
    if size == abs(comparison.difference):
        return max(needed, comparison.pairs + 1)
    return needed if needed > comparison.pairs else None
