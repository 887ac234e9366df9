"""Take turns, take times, take medians."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from nas_fusion.system.files import write_text

Action = Callable[[], object]


class Skipped(Exception):
    """A benchmark cannot be run here; the message says why."""


@dataclass(frozen=True)
class Options:
    """What a run of the benchmarks was asked for.

    Args:
        repeats: turns of each side.
        quick: smaller sizes, to see that everything runs; the figures mean nothing.
        folder: for files that a benchmark needs to write.
        device: of those that can run on a GPU.
    """

    repeats: int
    quick: bool
    folder: Path
    device: str


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's table.

    Args:
        case: what was measured.
        figure: the result: a ratio, a share, a rate.
        unit: of the figure; ``"×"`` for plain time over ours.
        aim: what the project wants to reach, in the figure's unit; None where nothing is claimed.
        at_most: whether smaller figures are better.
        details: medians, spreads, memory, by name.
    """

    case: str
    figure: float
    unit: str
    aim: float | None
    details: dict[str, Any]
    at_most: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        if self.aim is None:
            return None
        return self.figure <= self.aim if self.at_most else self.figure >= self.aim


def take_turns(sides: Sequence[Action], repeats: int, warm_up: int = 2) -> list[list[float]]:
    """Seconds of every turn of every side, the sides one after the other in each round.

    A GPU is waited for before and after each turn.
    """
    for _ in range(warm_up):
        for side in sides:
            side()
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for side, seconds in zip(sides, times, strict=True):
            _synchronise()
            start = time.perf_counter()
            side()
            _synchronise()
            seconds.append(time.perf_counter() - start)
    return times


def compare_times(
    case: str,
    plain: Action,
    ours: Action,
    options: Options,
    *,
    aim: float | None = None,
    warm_up: int = 2,
    **details: Any,
) -> Row:
    """The ratio of the medians, plain over ours, with both medians and spreads in milliseconds."""
    first, second = take_turns([plain, ours], options.repeats, warm_up)
    spread = {"plain ms": in_ms(first), "ours ms": in_ms(second)}
    return Row(case, statistics.median(first) / statistics.median(second), "×", aim, {**spread, **details})


def in_ms(seconds: Sequence[float]) -> str:
    """``median (least … most)`` in milliseconds."""
    median, least, most = (1e3 * f(seconds) for f in (statistics.median, min, max))
    digits = 3 if median < 1 else 2 if median < 10 else 0
    return f"{median:.{digits}f} ({least:.{digits}f} … {most:.{digits}f})"


def quartiles_ms(seconds: Sequence[float]) -> str:
    """``median (lower quartile … upper quartile)`` in milliseconds."""
    low, middle, high = (1e3 * value for value in statistics.quantiles(seconds, n=4))
    return f"{middle:.3g} ({low:.3g} … {high:.3g})"


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def show(name: str, rows: Iterable[Row], results: Path) -> bool:
    """Print a benchmark's table as its lines come, write it to ``<results>/<name>.json``; whether all aims are met."""
    console = Console()
    before = os.getloadavg()[0]
    found: list[Row] = []
    table = Table(title=name, title_justify="left", box=None)
    for heading, justify in (("case", "left"), ("figure", "right"), ("aim", "right"), ("details", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        found.append(row)
        print(f"{name}: {row.case}: {_figure(row.figure, row.unit)}", file=sys.stderr, flush=True)
        aim = "" if row.aim is None else f"{'≤' if row.at_most else '≥'} {_figure(row.aim, row.unit)}"
        style = {True: "green", False: "red", None: "default"}[row.reached]
        details = ", ".join(f"{key} {value}" for key, value in row.details.items())
        table.add_row(row.case, f"[{style}]{_figure(row.figure, row.unit)}[/]", aim, details)
    told = {**machine(), "load before": before}
    table.caption = (
        f"{told['processor']}, {told['cores']} cores, {told['threads']} threads; load {before:.1f} before and "
        f"{told['load']:.1f} after; torch {told['torch']}"
    )
    table.caption_justify = "left"
    console.print(table)
    results.mkdir(parents=True, exist_ok=True)
    document = {"benchmark": name, "machine": told, "rows": [{**asdict(r), "reached": r.reached} for r in found]}
    write_text(results / f"{name}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return all(row.reached is not False for row in found)


def _figure(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 0.1 else f"{value:.2f}"
    return f"{number} {unit}".strip()
