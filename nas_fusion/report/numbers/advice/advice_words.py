"""The recommendation in words: one sentence for whoever decides, and the reasons in a few lines below it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from nas_fusion.report.number_words import count, listed, milliseconds, seconds, signed
from nas_fusion.report.numbers.advice.recommendation import (
    ABOUT_EQUAL,
    CostRatio,
    Progress,
    Recommendation,
    Why,
    seconds_of,
)
from nas_fusion.report.numbers.decision import Decision
from nas_fusion.report.numbers.sentences import learned_sentences
from nas_fusion.report.numbers.summaries import StrategySummary

_FRACTIONS = {
    3 / 4: "three quarters", 2 / 3: "two thirds", 1 / 2: "half", 1 / 3: "a third", 1 / 4: "a quarter", 1 / 5: "a fifth",
    1 / 6: "a sixth", 1 / 7: "a seventh", 1 / 8: "an eighth", 1 / 9: "a ninth", 1 / 10: "a tenth",
}  # fmt: skip
_SMALLEST_FRACTION = 0.095
_MULTIPLES = {1.5: "one and a half times", 2.0: "twice", **{float(n): f"{n} times" for n in range(3, 11)}}
_LARGEST_MULTIPLE = 10.5
_MOST_NAMES = 4
"""So many strategies are named in a line; the rest is counted."""
_ONE_ROW, _BATCH = "latency_ms_1", "latency_ms_4096"


class AdviceSentence(NamedTuple):
    """The sentence in three parts, so that a page can set off the name: what is before it, the name, what follows."""

    before: str
    name: str
    after: str

    def __str__(self) -> str:
        """The whole sentence."""
        return f"{self.before}{self.name}{self.after}"


class Advice(NamedTuple):
    """What a report begins with: the sentence, and the reasons."""

    sentence: AdviceSentence
    reasons: tuple[str, ...]


def advice(found: Recommendation, decision: Decision) -> Advice:
    """Put a recommendation into words."""
    return Advice(_sentence(found, decision), tuple(_reasons(found, decision)))


# The sentence --------------------------------------------------------------------------------------------------------


def _sentence(found: Recommendation, decision: Decision) -> AdviceSentence:
    cells = _cells(found.progress)
    early = "" if found.progress.is_complete else "So far, "
    if found.take is None:
        words = f"take none of these: {_nothing(found)}{cells}."
        return AdviceSentence(early + words if early else words[0].upper() + words[1:], "", "")
    take = "take " if early else "Take "
    odd = _odd(found.take, found, decision)
    return AdviceSentence(f"{early}{take}", found.take.strategy, f"{_because(found, decision)}{odd}{cells}.")


def _odd(take: StrategySummary, found: Recommendation, decision: Decision) -> str:
    """What is wrong with the one taken, after a semicolon."""
    dead = decision.not_learned.get(take.strategy, ())
    parts = [f"{len(dead)} of its {_counted(len(take.seeds), 'seed')} did not learn"] if dead else []
    parts += ["its probabilities are worse than a constant's, so use it to rank only"] if found.ranks_only else []
    return "".join(f"; {part}" for part in parts)


def _nothing(found: Recommendation) -> str:
    if found.why == "nothing finished":
        return "no cell has a result"
    return "no model is better than a constant on both validation and test rows (AUC about .5)"


def _cells(progress: Progress) -> str:
    """What is missing, after a semicolon."""
    cells, finished, failed, left_out = progress
    parts = [] if progress.is_complete else [f"{finished} of {_counted(cells, 'cell')} finished"]
    parts += [f"{failed} of {_counted(cells, 'cell')} failed"] if failed else []
    parts += [f"{left_out} of {_counted(cells, 'cell')} left out by the time limit"] if left_out else []
    return "".join(f"; {part}" for part in parts)


def _because(found: Recommendation, decision: Decision) -> str:
    take, rival = found.take, found.rival
    assert take is not None, "asked for with something to take"
    if rival is None:
        return ": it is the only one with a result, so nothing was compared"
    cost = cost_words(take, rival)
    best = f"the best {decision.chosen_by}" + ("" if found.best is decision.best else " of those that beat a constant")
    if found.why == "one seed":
        alone = len(take.seeds) == 1
        few = "one seed cannot tell skill from luck" if alone else "no other one shares two seeds with it"
        return f" for now: {best}, but {few}"
    difference = found.against[rival.strategy].difference
    if found.why == "beaten":
        return (
            f" with care: {best}, but {rival.strategy} is better on test rows (test AUC {signed(difference)}), {cost}"
        )
    if found.why == "better":
        whom = "everything it can be compared with" if found.called("unknown") else "everything else"
        return f": better than {whom} (test AUC {signed(-difference)} over {rival.strategy}, the next best), {cost}"
    if found.why == "equal":
        call = "tie with" if found.against[rival.strategy].verdict == "tie" else "better than"
        seeds = _counted(found.against[rival.strategy].pairs, "seed")
        return f": as good as anything found ({call} {rival.strategy} over {seeds}), {cost}"
    ahead, behind = (s.chosen_by(decision.select).mean for s in (take, rival))
    return f": {best} ({ahead:.4f}, {rival.strategy} {behind:.4f}), and nothing is better on test rows (tie), {cost}"


def cost_words(take: StrategySummary, rival: StrategySummary) -> str:
    """The one's cost by the other's: ``a third of the multiply-adds, half the weights, a third of the time``.

    Multiply-adds are told of where both are known. Weights are not told of a tree and a network, whose weights are
    different things.
    """
    weights, time, adds = CostRatio.of(take, rival)
    if _is_about_one(time) and all(ratio is None or _is_about_one(ratio) for ratio in (weights, adds)):
        return "in about the same time" if weights is None else "at about the same cost"
    parts = [] if adds is None else [_times(adds, "the multiply-adds", "about as many multiply-adds")]
    parts += [] if weights is None else [_times(weights, "the weights", "about as many weights")]
    return ", ".join([*parts, _times(time, "the time", "about the same time")])


def ratio_words(ratio: float, what: str) -> str:
    """``half its multiply-adds``, ``a third of its multiply-adds``, ``twice its multiply-adds``."""
    return _times(ratio, what, f"about {what}")


def _is_about_one(ratio: float) -> bool:
    return 1 / ABOUT_EQUAL <= ratio <= ABOUT_EQUAL


def _times(ratio: float, what: str, equal: str) -> str:
    """``half the weights``, ``a third of the time``, ``twice the weights``, ``28 times the time``; else `equal`."""
    if _is_about_one(ratio):
        return equal
    if ratio < _SMALLEST_FRACTION:
        share = f"{100 * ratio:.0f} %" if ratio >= 0.01 else "less than 1 %"
        return f"{share} of {what}"
    if ratio < 1:
        words = _FRACTIONS[_nearest(ratio, list(_FRACTIONS))]
        return f"{words} {what}" if words == "half" else f"{words} of {what}"
    words = _MULTIPLES[_nearest(ratio, list(_MULTIPLES))] if ratio < _LARGEST_MULTIPLE else f"{ratio:,.0f} times"
    return f"{words} {what}"


def _nearest(ratio: float, known: list[float]) -> float:
    return min(known, key=lambda value: abs(math.log(ratio / value)))


# Over several data sets ----------------------------------------------------------------------------------------------

_IN_SHORT: dict[Why, str] = {
    "alone": "the only one with a result",
    "one seed": "for now: one seed cannot tell skill from luck",
    "better": "better than everything else",
    "equal": "as good as anything found",
    "ahead": "the best on validation data, and nothing is better on test rows",
    "beaten": "with care: the best on validation data, but another one is better on test rows",
}


def suite_sentence(found: Mapping[str, Recommendation]) -> str:
    """What to take on which data set; `found` by the name of the data set."""
    places: dict[tuple[str, Why], list[str]] = {}
    for data, one in found.items():
        places.setdefault(("" if one.take is None else one.take.strategy, one.why), []).append(data)
    told = [f"{name} on {listed(data)} ({_IN_SHORT[why]})" for (name, why), data in places.items() if name]
    told += [f"nothing on {listed(data)} ({why})" for (name, why), data in places.items() if not name]
    if len(places) == 1 and len(found) > 1:
        told = [told[0].replace(listed(list(found)), f"all {len(found)} data sets", 1)]
    progress = [one.progress for one in found.values()]
    early = "Take" if all(p.is_complete for p in progress) else "So far, take"
    total = Progress(*map(sum, zip(*progress, strict=True)))
    return f"{early} {'; '.join(told)}{_cells(total)}."


# The reasons ---------------------------------------------------------------------------------------------------------


def _reasons(found: Recommendation, decision: Decision) -> list[str]:
    lines = []
    if found.take is not None:
        shown = [found.take, *([found.rival] if found.rival is not None else [])]
        lines += [_quality(shown, decision), _costs(shown), *_others(found), *_set_aside(found, decision)]
    return [*lines, *learned_sentences(decision), *_not_compared(decision)]


def _quality(shown: list[StrategySummary], decision: Decision) -> str:
    told = [
        f"{s.strategy}{_family(s)} {s.test_auc.words} ({decision.chosen_by} {s.chosen_by(decision.select).mean:.4f}, "
        f"{_counted(len(s.seeds), 'seed')})"
        for s in shown
    ]
    return f"Quality, as test AUC: {listed(told)}."


def _family(summary: StrategySummary) -> str:
    return f" ({summary.family})" if summary.is_reference else ""


def _costs(shown: list[StrategySummary]) -> str:
    told = [f"{s.strategy} {_cost(s)}" for s in shown]
    return f"Cost, of one seed: {'; '.join(told)}."


def _cost(summary: StrategySummary) -> str:
    what = "to train" if summary.is_reference else "to search and train"
    parts = [f"{count(summary.parameters.mean)} weights", f"{seconds(seconds_of(summary))} s {what}"]
    if _ONE_ROW in summary.cost:
        parts.append(f"{milliseconds(summary.cost[_ONE_ROW].mean)} ms to score a row")
    return ", ".join(parts)


def _others(found: Recommendation) -> list[str]:
    """Who else could be taken, and who could not; nothing where the sentence has said it all."""
    assert found.take is not None, "asked for with something to take"
    name = found.take.strategy
    titles = {
        "better": f"Better than {name} on test rows",
        "tie": f"Cannot be told from {name} on test rows (tie)",
        "worse": f"Worse than {name} on test rows",
        "unknown": f"With too few seeds for a comparison with {name}",
    }
    parts = [f"{title}: {_few(found.called(call))}." for call, title in titles.items() if found.called(call)]
    return [" ".join(parts)] if parts else []


def _set_aside(found: Recommendation, decision: Decision) -> list[str]:
    """That the best on validation is not better than chance on test rows."""
    best = decision.best
    if best is None or found.best is None or best is found.best:
        return []
    return [
        f"{best.strategy} is the best {decision.chosen_by} ({best.chosen_by(decision.select).mean:.4f}), but no better "
        f"than a constant on test rows (AUC {best.test_auc.mean:.4f})."
    ]


def _not_compared(decision: Decision) -> list[str]:
    names = decision.absent
    return [f"Without any result, since every cell failed: {_few(names)}."] if names else []


def _few(names: list[str] | tuple[str, ...]) -> str:
    rest = len(names) - _MOST_NAMES
    return listed(names) if rest <= 0 else f"{', '.join(names[:_MOST_NAMES])} and {rest} more"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
