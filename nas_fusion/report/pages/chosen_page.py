"""The short page beside a model that `fit` has chosen: what it is, why that one, what beat what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas_fusion.records import CellRecord, ComparisonInfo, FailedCell, TunedFamily
from nas_fusion.report.escapes import clean
from nas_fusion.report.number_words import duration
from nas_fusion.report.numbers.sentences import left_out_words, recipe_words
from nas_fusion.report.tuned_words import BY_THE_CLOCK, spent_words, tuned_words

TEMPLATES = Path(__file__).with_name("templates")

MADE = {"reference": "made by hand", "one-shot": "found by a search", "multi-trial": "found by a search"}


class ChosenRow(NamedTuple):
    """A line of the table: a strategy, as texts."""

    name: str
    seeds: int
    valid_auc: str
    test_auc: str
    test_logloss: str
    seconds: str
    is_chosen: bool


@dataclass(frozen=True)
class ChosenPage:
    """What the page says.

    Args:
        name: of the log.
        place: of the model.
        sentence: what was chosen.
        reasons: why.
        rows: of the table, the best on validation first.
        sections: what else there is to know, by title.
    """

    name: str
    place: str
    sentence: str
    reasons: Sequence[str]
    rows: Sequence[ChosenRow]
    sections: Mapping[str, Sequence[str]]


def chosen_page(
    chosen: CellRecord,
    records: Sequence[CellRecord],
    info: ComparisonInfo,
    place: str,
    seconds: float,
    order: Sequence[str],
) -> ChosenPage:
    """What the page of a model says.

    Args:
        chosen: the model's cell.
        records: every finished cell.
        info: of what was tried.
        place: of the model.
        seconds: that everything took.
        order: strategies that were compared in the end, the best first; the others follow by their means.
    """
    of = {name: [r for r in records if r.strategy == name] for name in dict.fromkeys(r.strategy for r in records)}
    others = sorted((name for name in of if name not in order), key=lambda name: -_mean(of[name], "valid_auc"))
    names = [*order, *others]
    rows = [_row(name, of[name], is_chosen=name == chosen.strategy) for name in names]
    return ChosenPage(
        name=info.data_name,
        place=place,
        sentence=_sentence(chosen, of, info),
        reasons=_reasons(chosen, of, names, seconds, info),
        rows=rows,
        sections=_sections(info),
    )


def chosen_html(page: ChosenPage) -> str:
    """The page; every text is cleaned and escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=lambda value: clean(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("chosen.html").render(page=page)


def _sentence(chosen: CellRecord, of: Mapping[str, Sequence[CellRecord]], info: ComparisonInfo) -> str:
    what = MADE[chosen.kind] if "general_model" not in chosen.details else "no network"
    return (
        f"For {info.data_name} the model is {chosen.strategy} ({what}), seed {chosen.seed}: the best of "
        f"{len(of)} that were tried; test AUC {chosen.test_auc:.4f}."
    )


def _reasons(
    chosen: CellRecord,
    of: Mapping[str, Sequence[CellRecord]],
    names: Sequence[str],
    seconds: float,
    info: ComparisonInfo,
) -> list[str]:
    ours = of[chosen.strategy]
    mean = _mean(ours, "valid_auc")
    this = f", the mean of {len(ours)} seeds; this seed's is {chosen.valid_auc:.4f}" if len(ours) > 1 else ", one seed"
    lines = [f"Its validation AUC is {mean:.4f}{this}."]
    if info.tuned:
        lines += _divided(info)
    elif len(names) > 1:
        second = next(name for name in names if name != chosen.strategy)
        lines.append(f"The next is {second}: {_mean(of[second], 'valid_auc'):.4f}, {_less(mean, of[second])}.")
    limit = f" of {duration(info.time_limit)}" if info.time_limit is not None else ""
    lines.append(f"It took {duration(seconds)}{limit}; {sum(map(len, of.values()))} models were trained to their end.")
    return lines


def _divided(info: ComparisonInfo) -> list[str]:
    """Where the last choice was made by several divisions of the rows: how they see the first two."""
    first, *others = info.tuned
    what = f"{first.folds} divisions of the training and validation rows" if first.folds > 1 else "the validation rows"
    of = f"By {what}, {first.strategy} has {_score(first):.4f}"
    behind = [other for other in others if other.folds == first.folds]
    next_ = f"; the next is {behind[0].strategy}: {_score(behind[0]):.4f}" if behind else ""
    return [f"{of}{next_} (± {first.noise:.4f}, the standard error of such a difference)."]


def _score(one: TunedFamily) -> float:
    return one.best if one.is_better and one.best is not None else one.defaults


def _less(mean: float, second: Sequence[CellRecord]) -> str:
    behind = mean - _mean(second, "valid_auc")
    spread = float(np.std([r.valid_auc for r in second], ddof=1)) if len(second) > 1 else 0.0
    return f"{behind:.4f} less" + (", within its own spread over the seeds: nearly a tie" if behind < spread else "")


def _row(name: str, records: Sequence[CellRecord], *, is_chosen: bool) -> ChosenRow:
    seconds = sum(r.search_seconds + r.derive_seconds + r.retrain_seconds for r in records)
    return ChosenRow(
        name, len(records), _spread(records, "valid_auc"), _spread(records, "test_auc"),
        _spread(records, "test_logloss"), f"{seconds:.0f}", is_chosen,
    )  # fmt: skip


def _mean(records: Sequence[CellRecord], name: str) -> float:
    return float(np.mean([getattr(record, name) for record in records]))


def _spread(records: Sequence[CellRecord], name: str) -> str:
    values = [getattr(record, name) for record in records]
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{spread}"


def _sections(info: ComparisonInfo) -> dict[str, list[str]]:
    train, valid, test = info.rows
    failed = [cell.words for cell in info.failures]
    untried = _untried(info)
    data = [
        f"{train:,} rows to train, {valid:,} to validate, {test:,} to test; {info.fields} fields, {info.features:,} "
        f"features, {info.label_rate:.2%} positive labels"
    ]
    recipe = [] if info.recipe is None else [recipe_words(info.recipe)]
    command = [] if info.command is None else [f"The same command goes on where this one ended: {info.command}"]
    return {
        "What was tuned in the time that was left": tuned_words(info.tuned),
        "How the time was used": [spent_words(info.spent), BY_THE_CLOCK] if info.time_limit is not None else [],
        "Not tried for lack of time": [f"{untried}. A longer time limit tries them, too."] if untried else [],
        "What could not be trained": failed,
        "Data": data,
        "Recipe": recipe,
        "To go on": command,
    }


def _untried(info: ComparisonInfo) -> str:
    """Strategies that were not tried with the first seed; further seeds are for the best few alone."""
    first: list[FailedCell] = [cell for cell in info.left_out if cell.seed == info.seeds[0]]
    return left_out_words(first)
