"""``nasfusion tune``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.cli.asked_settings import search_settings
from nas_fusion.cli.command import Command, GivenSettings
from nas_fusion.cli.common_options import Assignments, OneLog, OneSearch, on_devices
from nas_fusion.cli.console import for_progress, output, print_plain, print_tuning
from nas_fusion.cli.log_reading import data_line, default_study, prepare_log
from nas_fusion.settings import ComparisonSettings, DeviceSettings, Panel, RunSettings
from nas_fusion.settings.option import number, path

if TYPE_CHECKING:
    from rich.table import Table

    from nas_fusion.strategy import StrategyEntry
    from nas_fusion.studies import TuningResult


@dataclass(frozen=True)
class Tuning:
    """What `tune` does besides searching."""

    trials: int = number(
        20, Bound(1, bounds.TUNE.high), "How many; the first is the defaults.", panel=Panel.BUDGET, first=True
    )
    study: Path | None = path(
        None, "Study folder.", panel=Panel.WRITTEN, first=True,
        shown="nasfusion-studies/<name of the log>-tune-<strategy>",
    )  # fmt: skip


def tune(
    log: OneLog,
    what: OneSearch,
    tuning: Tuning,
    given: GivenSettings,
    assigned: Assignments,
    where: RunSettings,
    ranks: DeviceSettings,
) -> None:
    """Tune a strategy's hyperparameters, and the recipe's, with Optuna.

    A trial is a search and a re-training; its value is the validation AUC. Trials that fall behind are stopped early.
    The options of the recipe are where tuning starts from. The same command goes on where it was stopped; with
    `--storage`, any number of `nasfusion worker` processes take part.
    """
    with output() as console, on_devices(ranks, where):
        from nas_fusion.strategy import STRATEGIES
        from nas_fusion.studies import check_study
        from nas_fusion.studies import tune as tune_strategy

        settings = search_settings(log, what, given, assigned, tune=tuning.trials)
        entry = STRATEGIES.get(*settings.strategies)
        plain = default_study(log.data)
        folder = tuning.study or plain.with_name(f"{plain.name}-tune-{entry.name}")
        check_study(settings, folder, where.storage)
        dataset = prepare_log(console, log.data, settings.data)
        print_plain(console, data_line(log.data, dataset))
        print_plain(console, f"study folder: {folder}")
        result = tune_strategy(
            settings, dataset, folder, storage=where.storage, console=for_progress(console),
            listener=partial(print_tuning, console), say=partial(print_plain, console),
        )  # fmt: skip
        console.print(_tuning_table(result, settings, entry, len(dataset.train)))
        for line in tuning_words(result):
            print_plain(console, line)
        print_plain(console, f"written: {folder / 'tuned.json'}")


def _tuning_table(result: TuningResult, settings: ComparisonSettings, entry: StrategyEntry, train_rows: int) -> Table:
    from rich.table import Table

    from nas_fusion.studies import Hyperparameters

    defaults = Hyperparameters(settings, entry, train_rows).defaults()
    table = Table(title=f"Tuning of {entry.name}")
    table.add_column("hyperparameter")
    table.add_column("default", justify="right")
    table.add_column("best trial", justify="right")
    for name, value in result.values.items():
        table.add_row(name, _figure(defaults[name]), _figure(value))
    default_auc = "failed" if result.default_valid_auc is None else f"{result.default_valid_auc:.4f}"
    table.add_row("validation AUC", default_auc, f"{result.valid_auc:.4f}", style="bold")
    return table


def _figure(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def tuning_words(result: TuningResult) -> list[str]:
    """What a tuning came to, in sentences."""
    lines = [f"{result.trials} trials, {result.pruned} pruned, {result.failed} failed, {result.seconds:.0f} s"]
    if result.default_valid_auc is None:
        lines.append("the defaults could not be trained")
    elif result.valid_auc > result.default_valid_auc:
        gain = result.valid_auc - result.default_valid_auc
        lines.append(
            f"{gain:.4f} above the defaults on validation rows, with one seed: the best of {result.trials} is an "
            "optimistic number, so compare over several seeds before you believe it"
        )
    else:
        lines.append("no trial was better than the defaults")
    return lines


TUNE = Command(
    tune,
    "nasfusion tune --strategy optfusion-hard --trials 20 --data clicks.parquet",
    without=(
        "concurrency", "tune", "anytime_test", "importance", "predictions", "recipe.soft_learning_rate",
        "recipe.choice", "recipe.sweep_passes", "RunSettings.engine", "RunSettings.nni_config", "RunSettings.processes",
        "RunSettings.time_limit",
    ),
)  # fmt: skip
