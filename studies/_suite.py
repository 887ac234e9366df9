"""The same comparison on several data sets, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.files import write_text
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report import latex_suite_table, write_suite_markdown, write_suite_report
from nas_fusion.studies._compare import Comparison, EngineName, compare
from nas_fusion.studies._settings import ComparisonSettings
from nas_fusion.studies._work import CellListener, TuningListener

REPORT, REPORT_MARKDOWN = "report.html", "report.md"


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
        written: the reports on all of them.
    """

    comparisons: tuple[Comparison, ...]
    folder: Path
    written: tuple[Path, ...] = ()

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
    reference: str | None = None,
    latex: Path | None = None,
) -> Suite:
    """Run the comparisons that are not finished, one data set after the other, then report on all of them.

    Every data set has a study folder of its own, ``<folder>/<name>``, with everything that a comparison's has. What is
    finished is not run again, so a suite that was killed goes on.

    Args:
        parts: the data sets.
        folder: the suite's.
        storage: URL of Optuna's storage, which workers may share: the studies are called ``<folder's name>/<name>``
            there. In each study folder if not given.
        engine, nni_config, console, listener, tuning_listener, command, reference: as of `compare`.
        latex: a file for the table over all data sets in LaTeX.
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
                listener=listener, tuning_listener=tuning_listener, command=command, reference=reference,
            )
        )  # fmt: skip
    return _reported(Suite(tuple(comparisons), root), latex)


def _reported(suite: Suite, latex: Path | None) -> Suite:
    paths = [suite.folder / REPORT, suite.folder / REPORT_MARKDOWN]
    write_suite_report(suite.results, paths[0])
    write_suite_markdown(suite.results, paths[1])
    if latex is not None:
        write_text(latex, latex_suite_table(suite.results))
        paths.append(latex)
    return replace(suite, written=tuple(paths))
