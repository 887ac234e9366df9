"""``nasfusion tune`` and ``nasfusion worker``."""

from __future__ import annotations

from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from nas_fusion.commands._shared import (
    DEFAULT_STUDIES,
    EXIT_INCOMPLETE,
    Options,
    data_line,
    default_study,
    output,
    prepare_log,
    print_plain,
    print_tuning,
    settings_of,
)
from nas_fusion.errors import OptionError


def run_tune(options: Options) -> None:
    """``nasfusion tune``."""
    with output() as console:
        from nas_fusion.commands._options import with_preset
        from nas_fusion.strategy import STRATEGIES
        from nas_fusion.studies import check_study, tune

        options = with_preset(options)
        entry = STRATEGIES.get(options["strategy"])
        settings = settings_of({**options, "tune": options["trials"]}, (entry.name,), (options["seed"],))
        plain = default_study(options["data"])
        folder = options["study"] or plain.with_name(f"{plain.name}-tune-{entry.name}")
        check_study(settings, folder, options["storage"])
        dataset = prepare_log(console, options)
        print_plain(console, data_line(options["data"], dataset))
        print_plain(console, f"study folder: {folder}")
        result = tune(
            settings, dataset, folder, storage=options["storage"],
            console=console if console.is_terminal else None, listener=partial(print_tuning, console),
        )  # fmt: skip
        console.print(_tuning_table(result, settings, entry))
        for line in tuning_words(result):
            print_plain(console, line)
        print_plain(console, f"written: {folder / 'tuned.json'}")


def _tuning_table(result: Any, settings: Any, entry: Any) -> Table:
    from nas_fusion.studies import Hyperparameters

    defaults = Hyperparameters(settings, entry).defaults()
    table = Table(title=f"Tuning of {entry.name}")
    table.add_column("hyperparameter")
    table.add_column("default", justify="right")
    table.add_column("best trial", justify="right")
    for name, value in result.values.items():
        table.add_row(name, _figure(defaults[name]), _figure(value))
    default_auc = "failed" if result.default_valid_auc is None else f"{result.default_valid_auc:.4f}"
    table.add_row("validation AUC", default_auc, f"{result.valid_auc:.4f}", style="bold")
    return table


def _figure(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def tuning_words(result: Any) -> list[str]:
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


def run_worker(options: Options) -> None:
    """``nasfusion worker``."""
    with output() as console:
        from nas_fusion.studies import check_worker, find_all_announced, open_storage

        check_worker(options["storage"], options["folder"], options["device"])
        storage = open_storage(options["storage"])
        studies = find_all_announced(storage, options["study"])
        if options["data"] and len(studies) > 1:
            names = ", ".join(study.name for study in studies)
            raise OptionError(
                "data", f"left out, or --study one of {names}: each is on a log of its own", options["data"]
            )
        failures = [failed for study in studies for failed in _help(console, storage, study, options)]
        console.print("nothing is left to do")
        if failures:
            console.print(f"{len(failures)} without a result:", highlight=False)
            for failed in failures:
                print_plain(console, f"  {failed.words}")
            raise SystemExit(EXIT_INCOMPLETE)


def _help(console: Console, storage: Any, study: Any, options: Options) -> Any:
    from dataclasses import replace

    from nas_fusion.data import prepare
    from nas_fusion.studies import check_study, work_on

    if options["device"]:
        study = replace(study, settings=replace(study.settings, device=options["device"]))
    part = study.name.removeprefix(options["study"]).removeprefix("/")
    folder = options["folder"] / part if options["folder"] else DEFAULT_STUDIES / study.name
    check_study(study.settings, folder)
    dataset = prepare(options["data"] or study.settings.source, study.settings.data)
    print_plain(console, f"working on {study.name}; cells go to {folder}")
    return work_on(
        study, storage, dataset, folder,
        console=console if console.is_terminal else None,
        cell_listener=lambda words: print_plain(console, words),
        tuning_listener=partial(print_tuning, console),
    )  # fmt: skip
