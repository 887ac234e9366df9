"""Who won, in words, and whether the seeds can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nas_fusion.report._format import auc
from nas_fusion.report._summary import StrategySummary
from nas_fusion.statistics import PairedComparison, compare_with_reference


class Difference(NamedTuple):
    """Test AUC of the best strategy minus that of another, over the seeds that both have."""

    other: StrategySummary
    comparison: PairedComparison

    @property
    def value(self) -> float:
        """The mean difference; NaN without a shared seed."""
        return self.comparison.difference

    @property
    def is_real(self) -> bool | None:
        """Whether the best strategy is called better or worse; None: cannot be said."""
        return None if self.comparison.verdict == "unknown" else self.comparison.verdict != "tie"


class Verdict(NamedTuple):
    """The strategy chosen by validation AUC, its test differences, and all of it in words.

    Args:
        best: the chosen one; None where nothing was searched.
        runner_up, reference: the searching strategy and the hand-made design that validation put next.
        text: a few sentences.
        comparisons: every other strategy against the best one, in the order of the table.
    """

    best: StrategySummary | None
    runner_up: Difference | None
    reference: Difference | None
    text: str
    comparisons: tuple[PairedComparison, ...] = ()


def verdict(summaries: Sequence[StrategySummary], named: str | None = None) -> Verdict:
    """Choose by mean validation AUC, then compare on test with all others, by paired tests over the seeds.

    The correction for many comparisons takes into account that the strategy was chosen from its runs
    (`nas_fusion.statistics.compare_with_reference`), unless somebody had named it before there were any. The
    runner-up and the best reference are chosen by validation too.

    Args:
        summaries: as `summarise` returns them, best validation AUC first.
        named: the strategy that was named, before there were results, for the others to be compared with.
    """
    searched = [s for s in summaries if not s.is_reference]
    references = [s for s in summaries if s.is_reference]
    if not searched:
        return Verdict(None, None, None, "No strategy has finished a search yet, so there is no verdict.")
    best = searched[0]
    scores = {s.strategy: s.test_auc_by_seed for s in summaries}
    chosen_from = None if best.strategy == named else [s.strategy for s in searched]
    comparisons = compare_with_reference(scores, best.strategy, chosen_from=chosen_from)
    against = {c.name: c.flipped for c in comparisons}
    runner_up, reference = (
        Difference(others[0], against[others[0].strategy]) if others else None for others in (searched[1:], references)
    )
    seeds = f"{len(best.seeds)} seeds" if len(best.seeds) > 1 else "one seed"
    who = f"{best.strategy}, the named reference," if best.strategy == named else best.strategy
    lead = f"Of the searches, {who} has the best validation AUC"
    parts = [f"{lead}; on test it reaches {auc(best.test_auc)} ({seeds})."]
    if runner_up:
        parts.append(_sentence(runner_up, "the runner-up"))
    if reference:
        parts.append(_sentence(reference, "the best hand-made reference"))
    parts += _score(list(against.values()))
    return Verdict(best, runner_up, reference, " ".join(parts), tuple(comparisons))


def _sentence(difference: Difference, role: str) -> str:
    return f"Against {role} {difference.other.strategy}: {difference.comparison.words}."


def _score(against: Sequence[PairedComparison]) -> list[str]:
    """How many of all others it beats; nothing where the sentences before have said it all."""
    if len(against) < 3:
        return []
    verdicts = [c.verdict for c in against]
    counts = {"better than": "better", "worse than": "worse", "tied with": "tie", "not comparable with": "unknown"}
    parts = [f"{words} {verdicts.count(v)}" for words, v in counts.items() if v in verdicts]
    return [f"Of all {len(against)} others it is {', '.join(parts)}."]
