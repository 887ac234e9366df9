"""``nasfusion compare``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from rich.console import Console

from nas_fusion.cli.asked_settings import strategy_parameters, with_choice_of, with_preset
from nas_fusion.cli.command import Command, GivenSettings
from nas_fusion.cli.common_options import Assignments, SeveralLogs, on_devices
from nas_fusion.cli.comparison_output import CellLines, exit_if_incomplete, print_cell, print_result, print_suite
from nas_fusion.cli.console import for_progress, output, print_plain, print_tried, print_tuning, shown_command
from nas_fusion.cli.log_reading import DEFAULT_STUDIES, data_line, default_study, prepare_log
from nas_fusion.errors import OptionError
from nas_fusion.settings import ComparisonSettings, DeviceSettings, EngineName, OutputSettings, RunSettings
from nas_fusion.settings.dotted_names import QUICK, settings_from

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, TriedRecipe
    from nas_fusion.studies import Part


class _Places(TypedDict):
    """Options of `compare` that change no result."""

    storage: str | None
    engine: EngineName
    nni_config: Path | None
    processes: int
    reference: str | None
    latex: Path | None


class _How(_Places):
    """The same, and who is told of what."""

    console: Console | None
    listener: Callable[[CellRecord, int, int], None]
    tuning_listener: Callable[[str, int, int, str], None]
    sweep_listener: Callable[[TriedRecipe, int, float, float], None]
    command: str
    time_limit: float | None
    say: Callable[[str], None]


@dataclass(frozen=True)
class _Asked:
    """Everything that the user said of a comparison; the same for each of its logs."""

    logs: SeveralLogs
    given: GivenSettings
    assigned: Assignments
    where: RunSettings
    written: OutputSettings

    def settings(self, log: str, preset: str | None, folder: Path) -> ComparisonSettings:
        """The settings of the comparison on one log, in one study folder."""
        from nas_fusion.strategy import select_strategies

        asked = with_preset(self.given, log, preset)
        entries = select_strategies(self.logs.strategies)
        asked.check_tuned(entries)
        names = tuple(entry.name for entry in entries)
        parameters = strategy_parameters(asked.parameters, self.assigned.set, names)
        values = with_choice_of(folder, self._quick(asked.values))
        return settings_from(values, source=log, strategies=names, seeds=self.logs.all_seeds, parameters=parameters)

    def _quick(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """The settings with those of `--quick`, if it was given: they win over the preset, and options over them."""
        if not self.logs.quick:
            return values
        return {**values, **{name: value for name, value in QUICK.items() if not self.given.has(name)}}

    def all_settings(self, folders: Sequence[Path]) -> list[ComparisonSettings]:
        """Those of every log."""
        logs = self.logs.data
        presets = one_for_each(self.logs.preset, len(logs))
        return [self.settings(*asked) for asked in zip(logs, presets, folders, strict=True)]

    def check(self, settings: ComparisonSettings, folder: Path) -> None:
        """Refuse what can be refused before any log is read."""
        from nas_fusion.data import check_log
        from nas_fusion.studies import check_comparison

        check_comparison(settings, folder, **self.places())
        check_log(settings.source, settings.data)

    def places(self) -> _Places:
        """Where it runs, and what is written besides the study."""
        return {
            "storage": self.where.storage,
            "engine": self.where.engine,
            "nni_config": self.where.nni_config,
            "processes": self.where.processes,
            "reference": self.written.reference,
            "latex": self.written.latex,
        }

    def how(self, console: Console) -> _How:
        """The same, and who is told of what is finished."""
        return {
            **self.places(),
            "console": for_progress(console),
            "listener": partial(print_cell, console),
            "tuning_listener": partial(print_tuning, console),
            "sweep_listener": partial(print_tried, console),
            "command": shown_command(sys.argv[1:]),
            "time_limit": self.where.time_limit,
            "say": partial(print_plain, console),
        }


def compare(
    logs: SeveralLogs,
    given: GivenSettings,
    assigned: Assignments,
    where: RunSettings,
    ranks: DeviceSettings,
    written: OutputSettings,
) -> None:
    """Compare strategies on a log, under one budget, over several seeds.

    Every strategy searches a design on the training and validation rows; every design is re-trained alike and then
    tested once. The study folder keeps everything: the same command goes on where it was stopped.
    """
    with output() as console, on_devices(ranks, where):
        asked = _Asked(logs, given, assigned, where, written)
        if len(logs.data) == 1:
            _compare_one(console, asked)
        else:
            _compare_several(console, asked)


def one_for_each(presets: Sequence[str], logs: int) -> list[str | None]:
    """A preset for every log: none, the same for all, or one each.

    Raises:
        OptionError: another number of presets.
    """
    if len(presets) not in (0, 1, logs):
        raise OptionError("preset", f"given once, or once for each of the {logs} logs, in order", list(presets))
    return list(presets) if len(presets) == logs else [presets[0] if presets else None] * logs


def _compare_one(console: Console, asked: _Asked) -> None:
    from nas_fusion.studies import StudyFolder, comparison_info
    from nas_fusion.studies import compare as compare_strategies

    (log,) = asked.logs.data
    folder = asked.written.study or default_study(log)
    (settings,) = asked.all_settings([folder])
    asked.check(settings, folder)
    part = _part(console, settings)
    _say_part(console, part, folder)
    how = asked.how(console)
    info = comparison_info(settings, part.dataset, how["command"], how["reference"])
    how["listener"] = CellLines(console, info, StudyFolder(folder).finished_cells())
    result = compare_strategies(settings, part.dataset, folder, **how)
    print_result(console, result, asked.written.latex)
    exit_if_incomplete(console, [result])


def _compare_several(console: Console, asked: _Asked) -> None:
    from nas_fusion.studies import check_suite_folder, compare_suite, part_names

    names = part_names([default_study(log).name for log in asked.logs.data])
    folder = asked.written.study or DEFAULT_STUDIES / "-".join(names)
    every = asked.all_settings([folder / name for name in names])
    check_suite_folder(folder)
    for settings, name in zip(every, names, strict=True):  # all of them, before the first log is read
        asked.check(settings, folder / name)
    parts = [_part(console, settings, name) for settings, name in zip(every, names, strict=True)]

    def begin(part: Part, place: Path) -> None:
        console.print()
        _say_part(console, part, place)

    suite = compare_suite(parts, folder, part_listener=begin, **asked.how(console))
    print_suite(console, suite)
    exit_if_incomplete(console, suite.comparisons, suite.failures)


def _part(console: Console, settings: ComparisonSettings, name: str = "") -> Part:
    from nas_fusion.studies import Part

    return Part(name, settings, prepare_log(console, settings.source, settings.data))


def _say_part(console: Console, part: Part, folder: Path) -> None:
    print_plain(console, data_line(part.settings.source, part.dataset))
    print_plain(console, f"study folder: {folder}")


COMPARE = Command(compare, "nasfusion compare --strategies all --data clicks.parquet --label click --budget 5x")
