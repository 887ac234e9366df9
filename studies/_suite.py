"""The same comparison on several data sets, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

import nas_fusion.report
from nas_fusion.data import EncodedDataset
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.studies._compare import Comparison, EngineName, compare
from nas_fusion.studies._settings import ComparisonSettings
from nas_fusion.studies._work import CellListener, TuningListener

REPORT = "report.html"


@dataclass(frozen=True)
class Part:
    """One data set of a suite.

    Args:
        name: of its study folder inside the suite's.
        settings: what is compared on it.
        dataset: the encoded log.
    """

    name: str
    settings: ComparisonSettings
    dataset: EncodedDataset


@dataclass(frozen=True)
class Suite:
    """Finished comparisons on several data sets.

    Args:
        comparisons: one per data set, in the order in which they were named.
        folder: the suite's, with one study folder per data set in it.
    """

    comparisons: tuple[Comparison, ...]
    folder: Path

    @property
    def results(self) -> list[tuple[tuple[CellRecord, ...], ComparisonInfo]]:
        """The cells of each data set, and what was compared on it: what a report over all of them is made from."""
        return [(c.records, c.info) for c in self.comparisons]


PartListener = Callable[[Part, Path], None]
"""Called with each data set and its study folder before its comparison begins."""


def part_names(names: Sequence[str]) -> list[str]:
    """The names, made different: a repeated one has a number behind it, in order (``clicks``, ``clicks-2``)."""
    chosen: list[str] = []
    for name in names:
        number, unused = 1, name
        while unused in chosen:
            number += 1
            unused = f"{name}-{number}"
        chosen.append(unused)
    return chosen


def compare_suite(
    parts: Sequence[Part],
    folder: str | Path,
    *,
    storage: str | None = None,
    engine: EngineName = "in-process",
    nni_config: Path | None = None,
    console: Console | None = None,
    listener: CellListener | None = None,
    tuning_listener: TuningListener | None = None,
    part_listener: PartListener | None = None,
    command: str | None = None,
) -> Suite:
    """Run the comparisons that are not finished, one data set after the other, then report on all of them.

    Every data set has a study folder of its own, ``<folder>/<name>``, with everything that a comparison's has. What is
    finished is not run again, so a suite that was killed goes on.

    Args:
        parts: the data sets.
        folder: the suite's.
        storage: URL of Optuna's storage, which workers may share: the studies are called ``<folder's name>/<name>``
            there. In each study folder if not given.
        engine, nni_config, console, listener, tuning_listener, command: as of `compare`.
        part_listener: told of each data set before its comparison begins.

    Raises:
        OptionError: no data sets, or two of the same name.
        StudyError: the folder is a comparison's own; and whatever `compare` raises.
    """
    names = [part.name for part in parts]
    if not names or len(set(names)) < len(names):
        raise OptionError("data", "data sets with different names, at least one", names)
    root = Path(folder)
    if (root / "study.toml").exists():
        raise StudyError(f"{root} holds the study of a single log; choose another --study")
    comparisons = []
    for part in parts:
        if part_listener is not None:
            part_listener(part, root / part.name)
        comparisons.append(
            compare(
                part.settings, part.dataset, root / part.name, storage=storage,
                name=f"{root.resolve().name}/{part.name}" if storage else None,
                engine=engine, nni_config=nni_config, console=console,
                listener=listener, tuning_listener=tuning_listener, command=command,
            )
        )  # fmt: skip
    suite = Suite(tuple(comparisons), root)
    _write_report(suite)
    return suite


def _write_report(suite: Suite) -> None:
    # The one place that knows of a report over data sets; each data set's own is written by `compare`.
    write: Callable[..., Any] | None = getattr(nas_fusion.report, "write_suite_report", None)
    if write is not None:
        write(suite.results, suite.folder / REPORT)
