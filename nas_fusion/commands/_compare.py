"""``nasfusion compare`` and ``nasfusion report``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from nas_fusion.commands._pages import list_studies
from nas_fusion.commands._shared import (
    DEFAULT_STUDIES,
    EXIT_INCOMPLETE,
    Options,
    data_line,
    default_study,
    output,
    parse_seeds,
    prepare_log,
    print_plain,
    print_tuning,
    settings_of,
)
from nas_fusion.errors import OptionError
from nas_fusion.system.places import check_file_place

_MAKER = "command that made the study"


def run_compare(options: Options, command: str) -> None:
    """``nasfusion compare``."""
    with output() as console:
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

    folder = options["study"] or default_study(options["data"])
    asked = _asked(options)
    _check(asked, folder, options)
    part = _part(console, asked)
    _say_part(console, part, folder)
    result = compare(part.settings, part.dataset, folder, **_how_to_compare(console, options, command))
    _print_result(console, result, options["latex"])
    exit_if_incomplete(console, [result])


def _compare_several(console: Console, alone: Sequence[Options], command: str) -> None:
    from nas_fusion.studies import Part, check_suite_folder, compare_suite, part_names

    names = part_names([default_study(options["data"]).name for options in alone])
    folder = alone[0]["study"] or DEFAULT_STUDIES / "-".join(names)
    asked = [_asked(options) for options in alone]
    check_suite_folder(folder)
    for one, name in zip(asked, names, strict=True):  # all of them, before the first log is read
        _check(one, folder / name, alone[0])
    parts = [_part(console, one, name) for one, name in zip(asked, names, strict=True)]

    def begin(part: Part, place: Path) -> None:
        console.print()
        _say_part(console, part, place)

    suite = compare_suite(parts, folder, part_listener=begin, **_how_to_compare(console, alone[0], command))
    _print_suite(console, suite)
    exit_if_incomplete(console, suite.comparisons, suite.failures)


def exit_if_incomplete(
    console: Console, comparisons: Sequence[Any], parts: Sequence[tuple[str, str]] = (), *, again: str = "same command"
) -> None:
    """Name the cells that have no result, and end with a code that says so.

    Args:
        console: where.
        comparisons: with their failures.
        parts: data sets without any result, and why.
        again: what tries them again.

    Raises:
        SystemExit: there are such cells.
    """
    several = len(comparisons) + len(parts) > 1
    lines = [
        f"{result.folder.path.name}: {failed.words}" if several else failed.words
        for result in comparisons
        for failed in result.failures
    ] + [f"{name}: {reason}" for name, reason in parts]
    if not lines:
        return
    console.print(f"\n{len(lines)} without a result; the {again} tries again:", highlight=False)
    for line in lines:
        print_plain(console, f"  {line}")
    raise SystemExit(EXIT_INCOMPLETE)


def _print_suite(console: Console, suite: Any) -> None:
    from nas_fusion.report import terminal_text

    for result in suite.comparisons:
        console.print(f"\n[bold]{terminal_text(result.folder.path.name)}[/bold]", highlight=False)
        _print_result(console, result, None)
    for path in suite.written:
        print_plain(console, f"written: {path}")


def _asked(options: Options) -> tuple[Options, Any]:
    """The options with their preset's, and the settings that they make."""
    from nas_fusion.commands._options import with_preset
    from nas_fusion.strategy import select_strategies

    seeds = parse_seeds(options["seeds"])
    chosen = with_preset(options)
    entries = select_strategies(chosen["strategies"])
    return chosen, settings_of(chosen, tuple(e.name for e in entries), seeds)


def _check(asked: tuple[Options, Any], folder: Path, options: Options) -> None:
    from nas_fusion.data import check_log
    from nas_fusion.studies import check_comparison

    names = ("storage", "engine", "nni_config", "reference", "latex", "processes")
    check_comparison(asked[1], folder, **{name: options[name] for name in names})
    check_log(asked[0]["data"], asked[1].data)


def _part(console: Console, asked: tuple[Options, Any], name: str = "") -> Any:
    from nas_fusion.studies import Part

    return Part(name, asked[1], prepare_log(console, asked[0]))


def _say_part(console: Console, part: Any, folder: Path) -> None:
    print_plain(console, data_line(part.settings.source, part.dataset))
    print_plain(console, f"study folder: {folder}")


def _how_to_compare(console: Console, options: Options, command: str) -> dict[str, Any]:
    return {
        "storage": options["storage"],
        "engine": options["engine"],
        "nni_config": options["nni_config"],
        "console": console if console.is_terminal else None,
        "listener": partial(_print_cell, console),
        "tuning_listener": partial(print_tuning, console),
        "command": command,
        "reference": options["reference"],
        "latex": options["latex"],
        "processes": options["processes"],
    }


def _print_result(console: Console, result: Any, latex: Path | None) -> None:
    console.print()
    _print_comparison(console, result.report)
    _print_waiting(console, result)
    _print_best(console, result.report)
    _print_written(console, result, latex)


def _print_best(console: Console, report: Any) -> None:
    """The best model, and the best one that a search has found, each with its design."""
    best, found = report.decision.best, report.decision.best_found
    titles = {"best model": best, "best found by search": found}
    if found is best:
        titles = {"best model, and best found by search": best}
    for title, summary in titles.items():
        if summary is not None:
            _print_design(console, title, summary.best)


def _print_design(console: Console, title: str, cell: Any) -> None:
    from nas_fusion.report import clean, design_text, terminal_text

    made = ", hand-made" if cell.kind == "reference" else ""
    console.print(
        f"\n{title}: [bold]{terminal_text(cell.strategy)}[/bold], seed {cell.seed}{made}; validation AUC "
        f"{cell.valid_auc:.4f}, test AUC {cell.test_auc:.4f}",
        highlight=False,
    )
    console.print(clean(design_text(cell.design), lines=True), highlight=False, markup=False)


def _print_cell(console: Console, record: Any, done: int, total: int) -> None:
    line = f"[{done:>{len(str(total))}}/{total}] {record.strategy:<16} seed {record.seed}"
    line += f"  valid {record.valid_auc:.4f}  test {record.test_auc:.4f}"
    line += f"  search {record.search_seconds:.1f} s, re-train {record.retrain_seconds:.1f} s"
    print_plain(console, line)


def run_report(options: Options) -> None:
    """``nasfusion report``."""
    with output() as console:
        study: Path | None = options["study"]
        if options["latex"] is not None:
            check_file_place("latex", options["latex"])
        if study is None:
            list_studies(console, "report")
            return
        from nas_fusion.studies import Comparison, StudyFolder, is_suite, rewrite_reports, rewrite_suite

        chosen = {"reference": options["reference"], "latex": options["latex"]}
        if is_suite(study):
            suite = rewrite_suite(study, **chosen)
            _print_suite(console, suite)
            exit_if_incomplete(console, suite.comparisons, suite.failures, again=_MAKER)
        else:
            folder = StudyFolder(study)
            result = Comparison(rewrite_reports(folder, **chosen), folder)
            _print_result(console, result, options["latex"])
            exit_if_incomplete(console, [result], again=_MAKER)


def _print_waiting(console: Console, result: Any) -> None:
    from nas_fusion.studies import without_record

    waiting = () if result.info.ended else without_record(result.info, result.records)
    if waiting:
        names = ", ".join(f"{cell.strategy} seed {cell.seed}" for cell in waiting)
        print_plain(console, f"{len(waiting)} without a result yet: {names}")


def _print_comparison(console: Console, report: Any) -> None:
    from nas_fusion.report import comparison_caption, comparison_tables

    for table in comparison_tables(report, console.width):
        console.print(table)
        console.print()
    console.print(comparison_caption(report), highlight=False, markup=False)


def _print_written(console: Console, result: Any, latex: Path | None) -> None:
    folder, decision = result.folder, result.report.decision
    paths = [folder.report, folder.report_markdown, folder.results, folder.summary]
    paths += [folder.best_model_json] if decision.best is not None else []
    paths += [folder.best_json] if decision.best_found is not None else []
    for path in [*paths, *([latex] if latex else [])]:
        print_plain(console, f"written: {path}")
