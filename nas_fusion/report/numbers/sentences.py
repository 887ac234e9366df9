"""What a report says in sentences: the verdict, how it was reached, and what is missing or odd about single rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas_fusion.bounds import SELECTIONS
from nas_fusion.records import NORMALISED_ENTROPY, CellRecord, ChosenRecipe, ComparisonInfo, FailedCell
from nas_fusion.report.number_words import listed, plain, seconds
from nas_fusion.report.numbers.decision import HAND_MADE, NOT_LEARNED, Decision, Standings
from nas_fusion.report.numbers.search_gap import DERIVED, SUPERNET, fallen
from nas_fusion.report.numbers.summaries import GENERAL_MODEL, StrategySummary
from nas_fusion.report.provenance import cells_in_words, differences
from nas_fusion.statistics import PairedComparison

_COUNTED = {"better": "better", "tie": "tied", "worse": "worse", "unknown": "not comparable"}
_KINDS = {
    "one-shot": "one-shot searches (one supernet)",
    "multi-trial": "multi-trial searches (one candidate after the other)",
    "hand-made design": "hand-made designs of the fusion space",
    "hand-made model": "hand-made models from the literature",
    "general model": "what one would pick instead (no network)",
}
"""What the kinds and families of strategies are to a reader."""
_LOG = re.compile(r"\s*\([^()]*failures[/\\][^()]*\.log\)\s*$")
TOLD_NOTE = (
    "Means over the seeds; no choice and no verdict depends on them. Normalised entropy: logloss over that of the "
    "rows' own share of clicks, so that a constant reaches 1. Expected / observed clicks: 1 is right on the whole. "
    "Calibration error: mean distance between prediction and share of clicks, over bins of equally many rows. PR-AUC: "
    "average precision."
)
"""How to read `nas_fusion.report.numbers.report_model.ReportModel.told`."""
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
        return [f"Best model, and best found by search: {_standing(best, decision)}{level}."]
    searched = [] if found is None else [f"Best found by search: {_standing(found, decision)}."]
    return [f"Best model: {_standing(best, decision)}{level}.", *searched]


def _standing(summary: StrategySummary, decision: Decision) -> str:
    made = f" ({summary.family})" if summary.is_reference else ""
    seeds = f"{len(summary.seeds)} seeds" if len(summary.seeds) > 1 else "one seed"
    chosen = f"{decision.chosen_by} {summary.chosen_by(decision.select).mean:.4f}"
    return f"{summary.strategy}{made}, {chosen}, test AUC {summary.test_auc.words} ({seeds})"


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
    hand_made = [s for s in decision.summaries if s.is_reference and s.family != GENERAL_MODEL]
    general = [s for s in decision.summaries if s.family == GENERAL_MODEL]
    named = [
        (decision.best, "the best model"),
        (decision.best_found, "the best found by search"),
        *((s, "the next search") for s in searched[1:2]),
        *((s, "the best hand-made") for s in hand_made[:1]),
        *((s, "the best of what one would pick instead") for s in general[:1]),
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


def facts(info: ComparisonInfo, decision: Decision) -> dict[str, str]:
    """What was asked: data, budget, seeds, strategies; by name."""
    train, valid, test = info.rows
    known = info.attainable_auc
    told = {
        "Data": f"{info.data}: {info.fields} fields, {info.features:,} features, {info.label_rate:.2%} positive labels",
        "Rows": f"{train:,} to train, {valid:,} to validate, {test:,} to test",
        **({} if known is None else {"Attainable test AUC": f"{known:.4f}, from the true probabilities"}),
        **({} if info.teacher is None else {"Teacher": f"{info.teacher}; clicks are drawn from this design"}),
        "Budget per strategy": info.budget,
        "Seeds": ", ".join(map(str, info.seeds)),
        **({} if info.recipe is None else {"Recipe": recipe_words(info.recipe).removeprefix("Recipe: ")}),
    }
    for kind, words in _KINDS.items():
        names = [s.strategy for s in decision.summaries if kind in (s.kind, s.family)]
        told |= {words.capitalize(): ", ".join(names)} if names else {}
    missing = [*decision.absent, *decision.unstarted]
    return told | ({"Without a finished cell": ", ".join(missing)} if missing else {})


def recipe_words(recipe: ChosenRecipe) -> str:
    """What a sweep has chosen for all strategies, on what, and what that has cost."""
    values = ", ".join(f"{name} {plain(value)}" for name, value in recipe.values.items())
    if recipe.note:
        return f"Recipe: {recipe.note}" + (f" ({values})." if values else ".")
    changed = {name: value for name, value in recipe.values.items() if value != recipe.tried[0].values[name]}
    chosen = ", ".join(f"{name} {plain(value)}" for name, value in changed.items())
    ended = [one.ended for one in recipe.tried]
    counts = {"stopped early": ended.count("behind"), "failed": ended.count("failed")}
    odd = "".join(f", {number} {words}" for words, number in counts.items() if number)
    what = chosen or (
        f"the first of those tried ({values}), since none was better by more than the noise ({recipe.margin:.4f})"
    )
    tried = f"{len(recipe.tried)} tried{odd}"
    cost = (
        f"{recipe.passes:.1f} passes over the training rows (at most {recipe.allowed:.1f}), {seconds(recipe.seconds)} s"
    )
    return (
        f"Recipe: {what}, the same for all strategies; by {SELECTIONS[recipe.select]} of {recipe.reference} "
        f"with one seed, {tried}. What that took is in no strategy's account: {cost}."
    )


def reference_note(decision: Decision) -> list[str]:
    """With what, and how, the strategies are compared; nothing where there is no reference."""
    found, missing = decision.standings, decision.missing_reference
    if found is None:
        return []
    instead = f" in place of {missing}, which was named and has no finished cell" if missing else ""
    return [
        f"Reference: {found.reference} ({found.why}{instead}); test AUC, paired by seed; intervals of the difference "
        f"are for one comparison alone, p is corrected by Holm {found.correction}. Seeds needed: about so many would "
        "show a difference of this size."
    ]


def reference_words(found: Standings) -> str:
    """The reference, and why that one."""
    return f"{found.reference} ({found.why})"


def notes(decision: Decision, records: Sequence[CellRecord], seeds: int) -> list[str]:
    """About single rows: marks, failed and unfinished cells, what computed them, shared searches; whole sentences.

    Args:
        decision: about the comparison.
        records: its finished cells.
        seeds: how many were asked for.
    """
    missing = [*_fewer_seeds(decision, seeds), *_failures(decision), *_left_out(decision), *_unstarted(decision)]
    odd = [*_marks(decision), *_fallen(records), *_squashed(decision)]
    return [*odd, *missing, *provenance_lines(records), *_shared(decision)]


def _marks(decision: Decision) -> list[str]:
    lines = []
    if any(s.is_reference for s in decision.summaries):
        lines.append(f"{HAND_MADE} nothing searched.")
    dead = [(s.strategy, decision.not_learned.get(s.strategy, ())) for s in decision.summaries]
    if any(seeds for _, seeds in dead):
        told = "; ".join(f"{name} seed{'s' * (len(s) > 1)} {', '.join(map(str, s))}" for name, s in dead if s)
        lines.append(
            f"{NOT_LEARNED} did not learn: the AUC lies within the noise of .5 on validation and on test rows, where "
            f"other models learn ({told}). These seeds count in every mean and verdict."
        )
    return lines


def _fallen(records: Sequence[CellRecord]) -> list[str]:
    """Whose designs lost much of what their supernets had."""
    told = [
        f"{r.strategy} seed {r.seed} (supernet {r.details[SUPERNET]:.3f}, derived with its own weights "
        f"{r.details[DERIVED]:.3f})"
        for r in fallen(records)
    ]
    return [f"Derived designs far below their supernets on validation rows: {'; '.join(told)}."] if told else []


def _squashed(decision: Decision) -> list[str]:
    """Whose probabilities are worse than a constant's."""
    entropies = [(s, s.told[NORMALISED_ENTROPY].mean) for s in decision.summaries if NORMALISED_ENTROPY in s.told]
    worse = [f"{s.strategy} ({s.test_logloss.mean:.4f}, {value:.2f} times it)" for s, value in entropies if value > 1]
    if not worse:
        return []
    return [f"Mean test logloss worse than a constant's, whatever the AUC: {', '.join(worse)}."]


def _fewer_seeds(decision: Decision, asked: int) -> list[str]:
    """Whose numbers are over fewer seeds than were asked for."""
    short = []
    for summary in decision.summaries:
        done, failed = len(summary.seeds), len(decision.failed_seeds(summary.strategy))
        left_out = sum(cell.strategy == summary.strategy for cell in decision.left_out)
        counts = {"failed": failed, "left out": left_out, "not finished": asked - done - failed - left_out}
        why = [f"{count} {what}" for what, count in counts.items() if count > 0]
        if done < asked:
            short.append(f"{summary.strategy} {done} of {asked} ({', '.join(why)})")
    return [f"Numbers over fewer seeds: {', '.join(short)}."] if short else []


def _failures(decision: Decision) -> list[str]:
    lines = failure_lines(decision)
    if decision.absent:
        names = ", ".join(decision.absent)
        lines.append(f"Without any number, since no cell of it has ended well: {names}.")
    return lines


def _left_out(decision: Decision) -> list[str]:
    words = left_out_words(decision.left_out)
    return [f"Left out, since there was no time for it: {words}."] if words else []


def left_out_words(cells: Sequence[FailedCell]) -> str:
    """What a time limit left out, by name: "darts, seeds 0, 1; fnn, nasrec, seed 1"; empty if nothing was."""
    seeds_of: dict[str, list[int]] = {}
    for cell in sorted(cells):
        seeds_of.setdefault(cell.strategy, []).append(cell.seed)
    alike: dict[tuple[int, ...], list[str]] = {}
    for strategy, seeds in seeds_of.items():
        alike.setdefault(tuple(seeds), []).append(strategy)
    return "; ".join(
        f"{', '.join(names)}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        for seeds, names in alike.items()
    )


def _unstarted(decision: Decision) -> list[str]:
    names = decision.unstarted
    return [f"Not in the table, since no cell of it has ended yet: {', '.join(names)}."] if names else []


def provenance_lines(records: Sequence[CellRecord]) -> list[str]:
    """In what the cells' versions, devices, threads and precisions differ."""
    told = [r for r in records if r.provenance]
    found = differences(told)
    lines = []
    if found:
        words = "; ".join(map(str, found))
        lines.append(f"Not all cells were computed by the same, so their numbers are not quite comparable. {words}.")
    if told and len(told) < len(records):
        silent = cells_in_words([(r.strategy, r.seed) for r in records if not r.provenance])
        lines.append(f"Some cells do not say by what they were computed: {silent}.")
    return lines


def _shared(decision: Decision) -> list[str]:
    names = {s.strategy for s in decision.summaries}
    return [
        f"{s.strategy} uses the search of {s.shares_search_with}: one cost, shown in both rows."
        for s in decision.summaries
        if s.shares_search_with in names
    ]
