"""The decision in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas_fusion.report._decision import Decision
from nas_fusion.report._format import auc, listed
from nas_fusion.report._standing import Standings
from nas_fusion.report._summary import StrategySummary
from nas_fusion.statistics import PairedComparison

_COUNTED = {"better": "better", "tie": "tied", "worse": "worse", "unknown": "not comparable"}
_LOG = re.compile(r"\s*\([^()]*failures[/\\][^()]*\.log\)\s*$")
MOST_REASON = 200
"""Letters of a failed cell's reason that are shown."""


def headline(decision: Decision) -> list[str]:
    """Who is best, how the others stand against the reference, and what did not learn or failed: a few paragraphs."""
    odd = [*learned_sentences(decision), *_failed_count(decision)]
    if decision.best is None:
        return [" ".join(["No cell is finished, so there is no verdict.", *odd])]
    return list(filter(None, map(" ".join, (_best(decision), _against(decision), odd))))


def _best(decision: Decision) -> list[str]:
    best, found = decision.best, decision.best_found
    assert best is not None, "asked for with records"
    level = f", level with {listed(decision.level)} in all digits shown" if decision.level else ""
    if found is best:
        return [f"Best model, and best found by search: {_standing(best)}{level}."]
    searched = [] if found is None else [f"Best found by search: {_standing(found)}."]
    return [f"Best model: {_standing(best)}{level}.", *searched]


def _standing(summary: StrategySummary) -> str:
    made = f" ({summary.family})" if summary.is_reference else ""
    seeds = f"{len(summary.seeds)} seeds" if len(summary.seeds) > 1 else "one seed"
    aucs = f"validation AUC {summary.valid_auc.mean:.4f}, test AUC {auc(summary.test_auc)}"
    return f"{summary.strategy}{made}, {aucs} ({seeds})"


def _against(decision: Decision) -> list[str]:
    """The comparisons that readers look for first, and how many of each call there are."""
    found = decision.standings
    assert found is not None, "asked for with records"
    if not found.against:
        return []
    told = [f"{name}, {role}: {found.against[name].words}." for name, role in _roles(decision, found).items()]
    return [f"Against {found.reference} ({found.why}) on test, {told[0]}", *told[1:], *_counts(found)]


def _roles(decision: Decision, found: Standings) -> dict[str, str]:
    """The strategies to be told of, and what they are: the best ones, the best hand-made one, else the next best."""
    searched = [s for s in decision.summaries if not s.is_reference]
    hand_made = [s for s in decision.summaries if s.is_reference]
    named = [
        (decision.best, "the best model"),
        (decision.best_found, "the best found by search"),
        *((s, "the next search") for s in searched[1:2]),
        *((s, "the best hand-made") for s in hand_made[:1]),
        *((s, "the next best") for s in decision.summaries[1:2] if not searched),
    ]
    roles: dict[str, str] = {}
    for summary, role in named:
        if summary is not None and summary.strategy in found.against:
            roles.setdefault(summary.strategy, role)
    return roles


def _counts(found: Standings) -> list[str]:
    """How many are better or worse; nothing where the sentences before have said it all."""
    against: Sequence[PairedComparison] = list(found.against.values())
    if len(against) < 3:
        return []
    calls = [c.verdict for c in against]
    parts = [f"{calls.count(call)} {words}" for call, words in _COUNTED.items() if call in calls]
    return [f"Of all {len(against)} others: {', '.join(parts)}."]


def decision_in_words(decision: Decision) -> dict[str, str]:
    """The decision for a dashboard, by name; empty where something does not apply, so that an earlier one goes."""
    best, found = decision.best, decision.best_found
    return {
        "verdict": " ".join(headline(decision)),
        "best model": "" if best is None else f"{best.strategy}, seed {best.best.seed}",
        "best found by search": "" if found is None else f"{found.strategy}, seed {found.best.seed}",
        "did not learn": " ".join(learned_sentences(decision)),
        "failed": "; ".join(failure_lines(decision)),
    }


def learned_sentences(decision: Decision) -> list[str]:
    """Which seeds did not learn."""
    seeds = {s.strategy: len(s.seeds) for s in decision.summaries}
    return [
        f"{len(dead)} of {_seeds(seeds[name])} of {name} did not learn (AUC about .5)."
        for name, dead in decision.not_learned.items()
    ]


def _seeds(number: int) -> str:
    return f"{number} seed{'s' * (number != 1)}"


def _failed_count(decision: Decision) -> list[str]:
    number = len(decision.failures)
    return [f"{number} cell{'s' * (number != 1)} failed."] if number else []


def failure_lines(decision: Decision) -> list[str]:
    """The failed cells and why, one line per strategy and reason."""
    groups: dict[tuple[str, str], list[int]] = {}
    for failed in sorted(decision.failures):
        groups.setdefault((failed.strategy, _one_line(failed.reason)), []).append(failed.seed)
    return [
        f"{strategy}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}, failed: {reason}"
        for (strategy, reason), seeds in groups.items()
    ]


def _one_line(reason: str) -> str:
    """The reason without where its log lies, which is another file for each seed."""
    text = " ".join(_LOG.sub("", reason).split())
    return text if len(text) <= MOST_REASON else f"{text[: MOST_REASON - 1]}…"
