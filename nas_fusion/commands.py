"""What each command of ``nasfusion`` does, behind the parsing; imported when a command runs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nas_fusion.errors import DesignError, OptionError

PIPED_WIDTH = 120
DEFAULT_STUDIES = Path("nasfusion-studies")
NUMERIC_FORM = "COLUMN=bucket, COLUMN=scale or COLUMN=category"

Options = Mapping[str, Any]


@contextmanager
def _console() -> Iterator[Console]:
    # Warnings of libraries are for developers; the project's own go through its logger.
    import logging

    import optuna
    from rich.logging import RichHandler

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    console = Console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=False)
    logger = logging.getLogger("nas_fusion")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield console
    finally:
        logger.removeHandler(handler)


def _data_options(options: Options) -> Any:
    from nas_fusion.data import DataOptions

    numeric = []
    for item in options["numeric"] or ():
        column, equals, rule = item.rpartition("=")
        if not equals or not column:
            raise OptionError("numeric", NUMERIC_FORM, item)
        numeric.append((column, rule))
    return DataOptions(
        format=options["format"],
        label=options["label"],
        split_column=options["split_column"],
        split=options["split"],
        min_count=options["min_count"],
        numeric=tuple(numeric),
    )


def _prepare(console: Console, options: Options) -> Any:
    from nas_fusion.data import prepare

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the log", total=1.0)
        return prepare(
            options["data"],
            _data_options(options),
            progress=lambda what, share: progress.update(task, description=what, completed=share),
        )


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read ``3`` (seeds 0, 1, 2) or ``3,5,8``; a single seed is ``7,``.

    Raises:
        OptionError: neither.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise OptionError("seeds", "a positive number of seeds, or a list like 3,5,8", text)
    if "," in text:
        return tuple(int(part) for part in parts)
    if int(parts[0]) < 1:
        raise OptionError("seeds", "a positive number of seeds, or a list like 3,5,8", text)
    return tuple(range(int(parts[0])))


def _settings(options: Options, strategies: tuple[str, ...], seeds: tuple[int, ...]) -> Any:
    from nas_fusion.command_options import strategy_parameters
    from nas_fusion.studies import ComparisonSettings, LimitSettings, ModelSettings, RecipeSettings

    return ComparisonSettings(
        source=str(options["data"]),
        data=_data_options(options),
        strategies=strategies,
        seeds=seeds,
        budget=options.get("budget", "5x"),
        candidates=options.get("candidates", 10),
        concurrency=options.get("concurrency", 1),
        tune=options.get("tune", 0),
        anytime_test=options.get("anytime_test", True),
        importance=options.get("importance", True),
        parameters=strategy_parameters(options, strategies),
        model=ModelSettings(
            space=options["space"],
            levels=options["levels"],
            emb_dim=options["emb_dim"],
            product=options.get("product", "zero"),
            batch_norm=options["batch_norm"],
            dropout=options["dropout"],
        ),
        recipe=RecipeSettings(
            learning_rate=options["lr"],
            retrain_learning_rate=options.get("retrain_lr", 0.0),
            embedding_optimizer=options["embedding_optimizer"],
            embedding_l2=options["embedding_l2"],
            network_l2=options["network_l2"],
            batch_size=options["batch_size"],
            retrain_epochs=options.get("epochs", 20),
            patience=options.get("patience", 2),
            lr_drop=options.get("lr_drop", 0.1),
            gradient_clip=options["gradient_clip"],
            soft_learning_rate=options.get("soft_lr", 0.0),
        ),
        limits=LimitSettings(
            parameters=options.get("max_parameters", 0),
            multiply_adds=options.get("max_multiply_adds", 0),
            latency_ms=options.get("max_latency", 0.0),
            latency_batch=options.get("latency_batch", 4096),
            cost_penalty=options.get("cost_penalty", 0.1),
        ),
        device=options["device"],
        precision=options["precision"],
    )


def default_study(data: str) -> Path:
    """The study folder of a log whose user named none."""
    return DEFAULT_STUDIES / (data.replace(":", "-") if data.startswith("synthetic") else Path(data).stem)


def run_compare(options: Options, command: str) -> None:
    """``nasfusion compare``."""
    with _console() as console:
        logs = options["data"] or ["synthetic"]
        alone = [
            {**options, "data": log, "preset": preset}
            for log, preset in zip(logs, one_for_each(options["preset"] or [], len(logs)), strict=True)
        ]
        if len(alone) == 1:
            _compare_one(console, alone[0], command)
        else:
            _compare_several(console, alone, command)


def one_for_each(presets: Sequence[str], logs: int) -> list[str | None]:
    """A preset for every log: none, the same for all, or one each.

    Raises:
        OptionError: another number of presets.
    """
    if len(presets) not in (0, 1, logs):
        raise OptionError("preset", f"given once, or once for each of the {logs} logs, in order", list(presets))
    return list(presets) if len(presets) == logs else [presets[0] if presets else None] * logs


def _compare_one(console: Console, options: Options, command: str) -> None:
    from nas_fusion.studies import compare

    part = _part(console, options)
    folder = options["study"] or default_study(options["data"])
    _say_part(console, part, folder)
    result = compare(part.settings, part.dataset, folder, **_how_to_compare(console, options, command))
    _print_result(console, result, options["latex"])


def _compare_several(console: Console, alone: Sequence[Options], command: str) -> None:
    from nas_fusion.studies import Part, compare_suite, part_names

    names = part_names([default_study(options["data"]).name for options in alone])
    parts = [_part(console, options, name) for options, name in zip(alone, names, strict=True)]
    folder = alone[0]["study"] or DEFAULT_STUDIES / "-".join(names)

    def begin(part: Part, place: Path) -> None:
        console.print()
        _say_part(console, part, place)

    suite = compare_suite(parts, folder, part_listener=begin, **_how_to_compare(console, alone[0], command))
    for part, result in zip(parts, suite.comparisons, strict=True):
        console.print(f"\n[bold]{part.name}[/bold]", highlight=False)
        _print_result(console, result, None)
    for path in suite.written:
        console.print(f"written: {path}", highlight=False, soft_wrap=True)


def _part(console: Console, options: Options, name: str = "") -> Any:
    from nas_fusion.command_options import with_preset
    from nas_fusion.strategy import select_strategies
    from nas_fusion.studies import Part

    chosen = with_preset(options, options["preset"])
    entries = select_strategies(chosen["strategies"])
    settings = _settings(chosen, tuple(e.name for e in entries), parse_seeds(chosen["seeds"]))
    return Part(name, settings, _prepare(console, chosen))


def _say_part(console: Console, part: Any, folder: Path) -> None:
    console.print(_data_line(part.settings.source, part.dataset), highlight=False)
    console.print(f"study folder: {folder}", highlight=False, soft_wrap=True)


def _how_to_compare(console: Console, options: Options, command: str) -> dict[str, Any]:
    return {
        "storage": options["storage"],
        "engine": options["engine"],
        "nni_config": options["nni_config"],
        "console": console if console.is_terminal else None,
        "listener": partial(_print_cell, console),
        "tuning_listener": partial(_print_tuning, console),
        "command": command,
        "reference": options["reference"],
        "latex": options["latex"],
    }


def _print_result(console: Console, result: Any, latex: Path | None) -> None:
    from nas_fusion.report import best_cell, design_text

    console.print()
    _print_comparison(console, result.records, result.info)
    best = best_cell(result.records)
    assert best is not None, "a comparison has at least one cell"
    console.print(f"\nbest on validation data: [bold]{best.strategy}[/bold], seed {best.seed}", highlight=False)
    console.print(design_text(best.design), highlight=False, markup=False)
    _print_written(console, result.folder, latex, result.folder.best_json)


def _print_comparison(console: Console, records: Any, info: Any) -> None:
    from nas_fusion.report import comparison_caption, comparison_tables

    for table in comparison_tables(records, info, console.width):
        console.print(table)
        console.print()
    console.print(comparison_caption(records, info), highlight=False, markup=False)


def _print_written(console: Console, folder: Any, latex: Path | None, *more: Path) -> None:
    paths = [folder.report, folder.report_markdown, folder.results, folder.summary, *more]
    for path in [*paths, *([latex] if latex else [])]:
        console.print(f"written: {path}", highlight=False, soft_wrap=True)


def run_report(options: Options) -> None:
    """``nasfusion report``."""
    with _console() as console:
        study: Path | None = options["study"]
        if study is None:
            _list_studies(console, "report")
            return
        from nas_fusion.studies import StudyFolder, rewrite_reports

        folder = StudyFolder(study)
        records, info = rewrite_reports(folder, reference=options["reference"], latex=options["latex"])
        _print_comparison(console, records, info)
        _print_written(console, folder, options["latex"])


def _data_line(name: str, dataset: Any) -> str:
    splits = " / ".join(f"{len(s):,}" for s in (dataset.train, dataset.valid, dataset.test))
    line = f"{name}: {splits} rows (train / valid / test), {len(dataset.schema.fields)} fields, "
    line += f"{dataset.schema.num_features:,} features, {dataset.train.label_rate:.1%} positive"
    if dataset.attainable_auc is not None:
        line += f"; best attainable test AUC {dataset.attainable_auc:.4f}"
    return line


def _print_cell(console: Console, record: Any, done: int, total: int) -> None:
    line = f"[{done:>{len(str(total))}}/{total}] {record.strategy:<16} seed {record.seed}"
    line += f"  valid {record.valid_auc:.4f}  test {record.test_auc:.4f}"
    line += f"  search {record.search_seconds:.1f} s, re-train {record.retrain_seconds:.1f} s"
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_tuning(console: Console, strategy: str, done: int, total: int, outcome: str) -> None:
    line = f"[{done:>{len(str(total))}}/{total}] tuning of {strategy:<16} {outcome}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def run_tune(options: Options) -> None:
    """``nasfusion tune``."""
    with _console() as console:
        from nas_fusion.command_options import with_preset
        from nas_fusion.strategy import STRATEGIES
        from nas_fusion.studies import tune

        options = with_preset(options, options["preset"])
        entry = STRATEGIES.get(options["strategy"])
        settings = _settings({**options, "tune": options["trials"]}, (entry.name,), (options["seed"],))
        dataset = _prepare(console, options)
        plain = default_study(options["data"])
        folder = options["study"] or plain.with_name(f"{plain.name}-tune-{entry.name}")
        console.print(_data_line(options["data"], dataset), highlight=False)
        console.print(f"study folder: {folder}", highlight=False, soft_wrap=True)
        result = tune(
            settings, dataset, folder, storage=options["storage"],
            console=console if console.is_terminal else None, listener=partial(_print_tuning, console),
        )  # fmt: skip
        console.print(_tuning_table(result, settings, entry))
        for line in tuning_words(result):
            console.print(line, highlight=False, soft_wrap=True)
        console.print(f"written: {folder / 'tuned.json'}", highlight=False, soft_wrap=True)


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
    with _console() as console:
        from dataclasses import replace

        from nas_fusion.data import prepare
        from nas_fusion.studies import find_announced, open_storage, work_on

        storage = open_storage(options["storage"])
        study = find_announced(storage, options["study"])
        if options["device"]:
            study = replace(study, settings=replace(study.settings, device=options["device"]))
        dataset = prepare(options["data"] or study.settings.source, study.settings.data)
        folder = options["folder"] or DEFAULT_STUDIES / study.name
        console.print(f"working on {study.name}; cells go to {folder}", highlight=False, soft_wrap=True)
        work_on(
            study, storage, dataset, folder,
            console=console if console.is_terminal else None,
            cell_listener=lambda words: console.print(words, highlight=False, markup=False, soft_wrap=True),
            tuning_listener=partial(_print_tuning, console),
        )  # fmt: skip
        console.print("nothing is left to do")


def run_search_command(options: Options) -> None:
    """``nasfusion search``."""
    with _console() as console:
        from nas_fusion.command_options import with_preset
        from nas_fusion.design import FusionDesign
        from nas_fusion.files import write_text
        from nas_fusion.report import design_text, draw_design
        from nas_fusion.search import Budget, SearchTask, run_search
        from nas_fusion.strategy import STRATEGIES
        from nas_fusion.studies import Hyperparameters, StudyLimits, keep_study_limits, make_limited_space, make_space

        options = with_preset(options, options["preset"])
        entry = STRATEGIES.get(options["strategy"])
        settings = _settings(options, (entry.name,), (options["seed"],))
        dataset = _prepare(console, options)
        config = settings.train_config(len(dataset.train), options["seed"])
        limits = StudyLimits(settings, config)
        limits.check_reachable(make_space(settings, dataset), {entry.mode})
        task = SearchTask(
            data=dataset.search_view(),
            make_space=partial(make_limited_space, settings, dataset, limits),
            config=config,
            budget=Budget.parse(options["budget"], len(dataset.train)),
            candidates=options["candidates"],
            label=entry.name,
            console=console if console.is_terminal else None,
        )
        searched = run_search(entry, task, Hyperparameters(settings, entry).own())
        kept = keep_study_limits(entry, searched, task, limits)
        outcome = kept.outcome
        out: Path = options["out"]
        write_text(out, outcome.design.to_json() + "\n")
        written = [out]
        if isinstance(outcome.design, FusionDesign):
            written.append(out.with_suffix(".svg"))
            write_text(written[-1], draw_design(outcome.design, title=f"{entry.name}, seed {task.seed}"))
        console.print(design_text(outcome.design), highlight=False, markup=False)
        found = "" if outcome.valid_auc is None else f"; validation AUC while searching {outcome.valid_auc:.4f}"
        console.print(f"{outcome.samples:,} samples in {outcome.seconds:.1f} s{found}", highlight=False)
        if kept.measured_ms is not None:
            line = f"{kept.measured_ms:.3f} ms per batch of {options['latency_batch']:,} rows, measured; at most"
            console.print(f"{line} {options['max_latency']:g} allowed", highlight=False)
        console.print(f"written: {', '.join(map(str, written))}", highlight=False, soft_wrap=True)


def run_retrain_command(options: Options) -> None:
    """``nasfusion retrain``."""
    with _console() as console:
        from nas_fusion.architecture import Architecture, found_from_json
        from nas_fusion.command_options import with_preset
        from nas_fusion.files import save_tensors
        from nas_fusion.search import Budget, SearchOutcome, SearchTask, retrain
        from nas_fusion.strategy import STRATEGIES
        from nas_fusion.studies import make_space
        from nas_fusion.training import evaluate

        path: Path = options["design"]
        if not path.is_file():
            raise DesignError(f"{path}: no such file")
        design = found_from_json(path.read_text("utf-8"))
        options = with_preset(options, options["preset"])
        if isinstance(design, Architecture):
            entry, levels = STRATEGIES.get(design.model), options.get("levels", 3)
        else:
            entry, levels = STRATEGIES.get("parallel"), design.check().levels
        settings = _settings({**options, "levels": levels}, (), (options["seed"],))
        dataset = _prepare(console, options)
        config = settings.retrain_config(settings.train_config(len(dataset.train), options["seed"]))
        task = SearchTask(
            data=dataset.search_view(),
            make_space=partial(make_space, settings, dataset),
            config=config,
            budget=Budget(1),
            label=path.stem,
            console=console if console.is_terminal else None,
        )
        found = SearchOutcome(design, None, (), 0, 0.0, 0)
        trained = retrain(entry, found, task, config)
        test = evaluate(trained.model, dataset.test, config)
        console.print(
            f"validation AUC {trained.fit.best_valid_auc:.4f} (epoch {trained.fit.best_epoch}), "
            f"test AUC {test.auc:.4f}, test logloss {test.logloss:.4f}, "
            f"{trained.parameters:,} parameters, {trained.seconds:.1f} s",
            highlight=False,
        )
        if options["out"]:
            save_tensors(options["out"], trained.model.state_dict())
            console.print(f"written: {options['out']}", highlight=False, soft_wrap=True)


def run_strategies() -> None:
    """``nasfusion strategies``."""
    with _console() as console:
        from nas_fusion.strategy import STRATEGIES

        table = Table(title="Strategies", caption="* in --strategies all; stacked and parallel are always in the table")
        for column in ("name", "kind", "what it does", "parameters (defaults)"):
            table.add_column(column)
        for name, entry in STRATEGIES:
            parameters = ", ".join(f"{k}={v}" for k, v in entry.parameters.items())
            table.add_row(f"{name} *" if entry.in_all else name, entry.kind, entry.summary, parameters)
        console.print(table)


def run_presets() -> None:
    """``nasfusion presets``."""
    with _console() as console:
        from nas_fusion.studies import load_preset, preset_names

        for preset in map(load_preset, preset_names()):
            console.print(f"[bold]{preset.name}[/bold]: {preset.summary}", highlight=False, soft_wrap=True)
            console.print(f"  from: {preset.source}", highlight=False, markup=False, soft_wrap=True)
            own = {f"{s}.{n}": v for s, values in preset.parameters.items() for n, v in values.items()}
            for name, value in {**preset.settings, **own}.items():
                console.print(f"  {name} = {value}", highlight=False, markup=False, soft_wrap=True)


def run_data(options: Options) -> None:
    """``nasfusion data``."""
    with _console() as console:
        from nas_fusion.data import describe

        summary = describe(_prepare(console, options))
        console.print(_summary_table(summary))
        known = "" if summary.attainable_auc is None else f"; best attainable test AUC {summary.attainable_auc:.4f}"
        console.print(f"label {summary.label!r}: {summary.label_rate:.2%} positive of {summary.rows:,} rows{known}")
        for name, rows in summary.split_rows.items():
            console.print(f"{name}: {rows:,} rows, {summary.split_label_rates[name]:.2%} positive", highlight=False)
        console.print(f"{summary.num_features:,} features; encoded in {summary.path}", highlight=False, soft_wrap=True)


def _summary_table(summary: Any) -> Table:
    table = Table(title=f"Fields of {summary.name}", caption="distinct, most frequent: in the training rows")
    table.add_column("field")
    table.add_column("kind")
    for column in ("distinct", "ids", "missing", "most frequent", "unknown in valid", "in test"):
        table.add_column(column, justify="right")
    for f in summary.fields:
        shares = [f"{share:.1%}" for share in (f.top_share, f.valid_unknown, f.test_unknown)]
        table.add_row(f.name, f.kind.value, f"{f.distinct:,}", f"{f.size:,}", f"{f.missing:,}", *shares)
    return table


def run_ui(options: Options) -> None:
    """``nasfusion ui``."""
    with _console() as console:
        study: Path | None = options["study"]
        if study is None:
            _list_studies(console, "ui")
            return
        from nas_fusion.nni_bridge import web_ui
        from nas_fusion.studies import StudyFolder

        folder = StudyFolder(study)
        folder.check_exists()
        with web_ui(folder.nni, options["port"]) as address:
            _serve(console, f"NNI's web UI of {study}", address, options)


def run_dashboard(options: Options) -> None:
    """``nasfusion dashboard``."""
    with _console() as console:
        study: Path | None = options["study"]
        if study is None:
            _list_studies(console, "dashboard")
            return
        from nas_fusion.studies import StudyFolder, dashboard

        with dashboard(StudyFolder(study), options["port"], options["storage"]) as address:
            _serve(console, f"Optuna's dashboard of {study}", address, options)


def _serve(console: Console, what: str, address: str, options: Options) -> None:
    """Say where, and wait for Ctrl-C."""
    import time
    import webbrowser

    console.print(f"{what}: {address}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C ends it", highlight=False)
    if options["open_browser"]:
        webbrowser.open(address)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("ended")


def _list_studies(console: Console, command: str) -> None:
    # A comparison of several logs has a study folder per log inside its own.
    found = sorted(path.parent for depth in ("*", "*/*") for path in DEFAULT_STUDIES.glob(f"{depth}/study.toml"))
    if not found:
        raise OptionError("STUDY", f"a study folder; there is none in {DEFAULT_STUDIES}", "none")
    for folder in found:
        cells = len(list(folder.glob("cells/*/cell.json")))
        console.print(f"{folder}  {cells} finished cells", highlight=False, soft_wrap=True)
    console.print(f"show one: nasfusion {command} FOLDER", highlight=False)
