"""``nasfusion fit``: from a log to one model."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from nas_fusion.cli.asked_settings import strategy_parameters, with_choice_of, with_preset
from nas_fusion.cli.command import Command, GivenSettings
from nas_fusion.cli.common_options import A_PRESET, SEEDS_FORM, Assignments, OneLog, on_devices, parse_seeds
from nas_fusion.cli.comparison_output import print_cell
from nas_fusion.cli.console import for_progress, output, print_plain, print_tried, shown_command
from nas_fusion.cli.log_reading import data_line, prepare_log
from nas_fusion.settings import ComparisonSettings, DeviceSettings, Panel, RunSettings
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.settings.option import REQUIRED, flag, path, text

if TYPE_CHECKING:
    from nas_fusion.studies import Fitted


@dataclass(frozen=True)
class FittedModel:
    """What `fit` tries, and where the model goes."""

    out: Path = path(REQUIRED, "Folder of the model; it is there whole or not at all.", panel=Panel.WRITTEN, first=True)
    study: Path | None = path(
        None, "Study folder: everything that was tried.", panel=Panel.WRITTEN, first=True, shown="OUT-study"
    )
    strategies: str = text(
        "all", "What may be tried: `all`, or names with commas between them (see `nasfusion strategies`).",
        panel=Panel.BUDGET, metavar="NAMES", first=True,
    )  # fmt: skip
    seeds: tuple[int, ...] = text(
        ComparisonSettings.seeds, "The most seeds that anything is trained with: how many, or a list like 3,5,8.",
        panel=Panel.BUDGET, metavar="SEEDS", form=SEEDS_FORM, read=parse_seeds,
        shown=str(len(ComparisonSettings.seeds)), first=True,
    )  # fmt: skip
    no_blend: bool = flag(
        False, "Take the best model alone, not its mean with boosted trees or a network; a network can be exported.",
        panel=Panel.BUDGET,
    )  # fmt: skip
    preset: str | None = text(None, A_PRESET, panel=Panel.DATA, metavar="PRESET", first=True)


def fit(
    log: OneLog,
    what: FittedModel,
    given: GivenSettings,
    assigned: Assignments,
    where: RunSettings,
    ranks: DeviceSettings,
) -> None:
    """Find the best model for a log within a time limit, and put it into a folder that needs nothing else.

    First logistic regression and boosted trees are fitted; then a recipe is chosen, and hand-made models and searches
    are tried, what is quick first. With a time limit the rest of the time goes into tuning what may still win; without
    one the best few get further seeds. The best by validation is the model, whatever it is, or the mean of the best
    network and boosted trees; `report.html` beside it says why. `nasfusion predict` scores with it. The same command
    goes on where it was stopped. With a time limit the result depends on the clock, also with the same seeds.
    """
    start = time.monotonic()
    with output() as console, on_devices(ranks, where):
        from nas_fusion.data import check_log
        from nas_fusion.studies import check_out, check_study, study_of
        from nas_fusion.studies import fit as fit_model

        folder = what.study or study_of(what.out)
        settings = _settings(log, what, given, assigned, folder)
        check_out(what.out)
        check_study(settings.of_one_network(), folder)
        check_log(settings.source, settings.data)
        dataset = prepare_log(console, settings.source, settings.data)
        print_plain(console, data_line(settings.source, dataset))
        print_plain(console, f"study folder: {folder}")
        left = None if where.time_limit is None else max(where.time_limit - (time.monotonic() - start), 1.0)
        fitted = fit_model(
            settings, dataset, what.out, study=folder, time_limit=left, processes=where.processes,
            console=for_progress(console), listener=partial(print_cell, console),
            sweep_listener=partial(print_tried, console), say=partial(print_plain, console),
            command=shown_command(sys.argv[1:]), blend=not what.no_blend,
        )  # fmt: skip
        _print_fitted(console, fitted)


def _settings(
    log: OneLog, what: FittedModel, given: GivenSettings, assigned: Assignments, folder: Path
) -> ComparisonSettings:
    from nas_fusion.strategy import select_strategies

    asked = with_preset(given, log.data, what.preset)
    entries = select_strategies(what.strategies)
    asked.check_tuned(entries)
    names = tuple(entry.name for entry in entries)
    parameters = strategy_parameters(asked.parameters, assigned.set, names)
    values = with_choice_of(folder, asked.values)
    return settings_from(values, source=log.data, strategies=names, seeds=what.seeds, parameters=parameters)


def _print_fitted(console: Console, fitted: Fitted) -> None:
    from nas_fusion.report import spent_words, tuned_words

    chosen = fitted.chosen
    console.print()
    for line in (*tuned_words(fitted.tuned), spent_words(fitted.spent)):
        if line:
            print_plain(console, line)
    print_plain(
        console,
        f"the model: {fitted.title}, seed {chosen.seed}; validation AUC {chosen.valid_auc:.4f}, test AUC "
        f"{chosen.test_auc:.4f}",
    )
    print_plain(console, f"written: {fitted.model} ({fitted.model / 'report.html'} says why)")
    if fitted.network is not None:
        print_plain(console, f"its network alone, which can be exported and updated: {fitted.network}")
    print_plain(console, f"score with it: nasfusion predict {fitted.model} rows.parquet --out scores.parquet")


FIT = Command(
    fit,
    "nasfusion fit --data clicks.parquet --label click --time-limit 20m --out model",
    without=("tune", "RunSettings.storage", "RunSettings.engine", "RunSettings.nni_config"),
)
