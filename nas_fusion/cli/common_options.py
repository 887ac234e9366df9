"""Options of several commands that are no settings of a comparison: the log, the preset, the strategy, seeds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nas_fusion import bounds
from nas_fusion.errors import OptionError
from nas_fusion.settings import SYNTHETIC, ComparisonSettings, DeviceSettings, Panel, RunSettings, TrainConfig
from nas_fusion.settings.dotted_names import QUICK, QUICK_SEEDS
from nas_fusion.settings.option import flag, number, path, text
from nas_fusion.system.cores import take_threads

TORCHRUN = "TORCHELASTIC_RUN_ID"
"""A process with this environment variable was started by torchrun."""

A_LOG = (
    "The log: a file; a folder, a quoted pattern ('logs/*.csv'), or paths with commas between, for a log in parts; on "
    f"the disk or at an address (s3://, gs://, hdfs://); or `{SYNTHETIC}[:ROWS[:SEED]]` for the built-in one, "
    f"`{SYNTHETIC}:planted[:TEACHER]` for one whose best design is known"
)
A_PRESET = (
    "Settings under a name (`nasfusion presets`), a TOML file, a study's folder, or a tuning's `tuned.json`; options "
    "override it."
)
A_STRATEGY = "Its name (see `nasfusion strategies`)."
QUICK_WORDS = (
    f"{QUICK_SEEDS} seed, a budget of {QUICK['budget']} and {QUICK['candidates']} candidates for every search, "
    f"{QUICK['recipe.retrain_epochs']} epochs of re-training, no sweep of the recipe"
)
DEFAULT_STRATEGY = "optfusion-hard"
SEEDS_FORM = f"how many ({bounds.MANY_SEEDS.range}), or a list like 3,5,8 of different ones, each {bounds.SEED.range}"


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read ``3`` (seeds 0, 1, 2) or ``3,5,8``; a single seed is ``7,``.

    Raises:
        OptionError: neither.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    bound = bounds.SEED if "," in text else bounds.MANY_SEEDS
    numbers = [bound.read(part) for part in parts]
    if not numbers or None in numbers or len(numbers) > bounds.MANY_SEEDS.high or len(set(numbers)) < len(numbers):
        raise OptionError("seeds", SEEDS_FORM, text)
    found = tuple(int(number) for number in numbers if number is not None)
    return found if "," in text else tuple(range(found[0]))


@contextmanager
def on_devices(ranks: DeviceSettings, where: RunSettings | None = None) -> Iterator[None]:
    """Train on several devices inside the block; of the processes that do so, only the first one comes inside.

    Args:
        ranks: how many devices.
        where: how many threads a process takes, and how many processes compute side by side.

    Raises:
        OptionError: more threads than cores, or other numbers of devices than torchrun or Slurm say.
        LostRankError: a process did not start.
    """
    if where is not None:
        take_threads(where.threads, where.processes * ranks.devices)
    if ranks == DeviceSettings() and TORCHRUN not in os.environ:  # torch need not be loaded for it
        yield
        return
    from nas_fusion.training.ranks import several_devices

    with several_devices(ranks.devices, ranks.nodes):
        yield


@dataclass(frozen=True)
class SeveralLogs:
    """What `compare` is about."""

    data: tuple[str, ...] = text(
        (SYNTHETIC,), f"{A_LOG}. May be repeated: one study per log.", panel=Panel.DATA, metavar="LOG", first=True,
        repeated=True,
    )  # fmt: skip
    preset: tuple[str, ...] = text(
        (), f"{A_PRESET} With several logs: one for all, or one for each, in order.", panel=Panel.DATA,
        metavar="PRESET", first=True, repeated=True,
    )  # fmt: skip
    strategies: str = text(
        "all", "`all`, or names with commas between them (see `nasfusion strategies`).", panel=Panel.BUDGET,
        metavar="NAMES", first=True,
    )  # fmt: skip
    seeds: tuple[int, ...] | None = text(
        None, "How many (0, 1, …), or a list like 3,5,8.", panel=Panel.BUDGET, metavar="SEEDS",
        form=SEEDS_FORM, read=parse_seeds, first=True, shown=str(len(ComparisonSettings.seeds)),
    )  # fmt: skip
    quick: bool = flag(
        False, f"A smaller comparison that is still fair: {QUICK_WORDS}, wherever you say nothing else.",
        panel=Panel.BUDGET,
    )  # fmt: skip

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds that were given, or those that hold without any."""
        return self.seeds or (ComparisonSettings.seeds[:QUICK_SEEDS] if self.quick else ComparisonSettings.seeds)


@dataclass(frozen=True)
class OneLog:
    """The log of a command on one log."""

    data: str = text(SYNTHETIC, f"{A_LOG}.", panel=Panel.DATA, metavar="LOG", first=True)


@dataclass(frozen=True)
class OneSearch:
    """What `search` and `tune` are about."""

    strategy: str | None = text(
        None, A_STRATEGY, panel=Panel.BUDGET, metavar="NAME", first=True,
        shown=f"{DEFAULT_STRATEGY}, or the one that the preset was tuned for",
    )  # fmt: skip
    preset: str | None = text(None, A_PRESET, panel=Panel.DATA, metavar="PRESET", first=True)
    seed: int = number(TrainConfig.seed, bounds.SEED, "Seed of everything random.", panel=Panel.BUDGET, first=True)


@dataclass(frozen=True)
class TeacherFile:
    """What `data` writes of a planted log."""

    teacher: Path | None = path(
        None, "Of a planted log: where to write the design of its teacher, for `nasfusion retrain`.",
        panel=Panel.WRITTEN,
    )  # fmt: skip


@dataclass(frozen=True)
class Assignments:
    """Parameters of strategies."""

    set: tuple[str, ...] = text(
        (), "STRATEGY.PARAMETER=VALUE (see `nasfusion strategies`); may be repeated.", panel=Panel.MODEL,
        metavar="ASSIGNMENT", repeated=True,
    )  # fmt: skip


@dataclass(frozen=True)
class SomeStudy:
    """The study that a command shows or reports on."""

    study: Path | None = path(None, "Study folder.", panel=Panel.FIRST, placed=True, shown="list the known ones")
