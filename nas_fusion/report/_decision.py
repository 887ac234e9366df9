"""What a report says about who is better: decided once from the records, and shown everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nas_fusion.errors import UnknownNameError
from nas_fusion.report._learning import not_learned
from nas_fusion.report._standing import How, Standings
from nas_fusion.report._summary import StrategySummary, summarise
from nas_fusion.statistics import compare_with_reference

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo, FailedCell

_DIGITS = 4
"""Of an AUC in the tables: strategies that are equal to so many digits are called level."""


class Decision(NamedTuple):
    """Everything that is decided about a comparison; validation chooses, test reports.

    `summaries`: best mean validation AUC first. `standings`: the comparisons with the reference, None without records;
    `missing_reference`: one that was named and has no finished cell, so that validation has chosen another.
    `not_learned`: the seeds of each strategy whose model knows nothing. `failures`: the cells without a record.
    `unstarted`: strategies of the comparison without any record or failure.
    """

    summaries: tuple[StrategySummary, ...]
    standings: Standings | None
    missing_reference: str | None
    not_learned: Mapping[str, tuple[int, ...]]
    failures: tuple[FailedCell, ...]
    unstarted: tuple[str, ...]

    @property
    def best(self) -> StrategySummary | None:
        """The best model, whatever made it: the highest mean validation AUC, the first of equals."""
        return next(iter(self.summaries), None)

    @property
    def best_found(self) -> StrategySummary | None:
        """The best one that a search has found; None where nothing was searched."""
        return next((s for s in self.summaries if not s.is_reference), None)

    @property
    def level(self) -> tuple[str, ...]:
        """The strategies whose mean validation AUC equals the best one's in every digit that is shown."""
        best, *others = self.summaries or (None,)
        if best is None:
            return ()
        top = round(best.valid_auc.mean, _DIGITS)
        return tuple(s.strategy for s in others if round(s.valid_auc.mean, _DIGITS) == top)

    @property
    def absent(self) -> tuple[str, ...]:
        """The strategies of which every cell that ended has failed."""
        finished = {s.strategy for s in self.summaries}
        return tuple(dict.fromkeys(f.strategy for f in self.failures if f.strategy not in finished))

    def failed_seeds(self, strategy: str) -> tuple[int, ...]:
        """The seeds with which a strategy failed, ascending."""
        return tuple(sorted(f.seed for f in self.failures if f.strategy == strategy))


def decide(records: Sequence[CellRecord], info: ComparisonInfo) -> Decision:
    """Decide about a comparison, finished or not.

    Every strategy is compared with the reference on test, by paired tests over the seeds that both have. The
    correction counts the comparisons with every strategy that could have been the reference: one that somebody named
    before there were results is the only one; validation chooses among the searches; one that was named when there
    were results could have been any, unless it is the one that validation chooses.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
    """
    summaries = tuple(summarise(records))
    done = {(r.strategy, r.seed) for r in records}
    failed = {(f.strategy, f.seed): f for f in info.failures}
    failures = tuple(f for cell, f in failed.items() if cell not in done)
    asked = [str(name) for name in info.settings.get("strategies", ())]
    known = [*(s.strategy for s in summaries), *(f.strategy for f in failures)]
    if info.reference is not None and info.reference not in (*known, *asked):
        raise UnknownNameError("reference", info.reference, list(dict.fromkeys([*known, *asked])))
    standings = _standings(summaries, info)
    return Decision(
        summaries,
        standings,
        info.reference if standings is not None and info.reference not in (None, standings.reference) else None,
        not_learned(records, info),
        failures,
        tuple(name for name in dict.fromkeys(asked) if name not in known),
    )


def _standings(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> Standings | None:
    if not summaries:
        return None
    scores = {s.strategy: s.test_auc_by_seed for s in summaries}
    reference, how, chosen_from = _reference(summaries, info)
    found = compare_with_reference(scores, reference, chosen_from=chosen_from)
    return Standings(reference, how, {c.name: c for c in found}, chosen_from)


def _reference(summaries: Sequence[StrategySummary], info: ComparisonInfo) -> tuple[str, How, tuple[str, ...] | None]:
    """The strategy to compare with, why, and among which it may have been chosen by its runs."""
    searched = tuple(s.strategy for s in summaries if not s.is_reference)
    everyone = tuple(s.strategy for s in summaries)
    choice = (searched or everyone)[0]
    if info.reference not in everyone:
        return choice, "chosen", searched or everyone
    if info.named_beforehand:
        return info.reference, "beforehand", None
    return info.reference, "afterwards", (searched or everyone) if info.reference == choice else everyone
