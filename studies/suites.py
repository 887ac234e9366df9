"""The same comparison on several data sets, one after the other."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import DamagedFileError, NothingFinishedError, OptionError, StudyError
from nas_fusion.report import ReportModel, latex_suite_table, write_suite_markdown, write_suite_report
from nas_fusion.settings import ComparisonSettings, EngineName, RunSettings
from nas_fusion.settings.study_toml import FORMAT_VERSION, MADE_ANEW
from nas_fusion.studies.comparing import Comparison, compare, offer
from nas_fusion.studies.finished_cells import CellListener
from nas_fusion.studies.queue.tuning_loop import TuningListener
from nas_fusion.studies.recipe.sweeping import SweepListener
from nas_fusion.studies.setup.strangers import plain_name, refuse_links
from nas_fusion.studies.setup.study_checks import check_comparison, check_size
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.storage.optuna_storage import open_storage
from nas_fusion.studies.study_reports import has_ended, rewrite_reports
from nas_fusion.system.deadline import Deadline
from nas_fusion.system.files import sweep, write_text
from nas_fusion.system.places import check_folder_place
from nas_fusion.system.seals import read_sealed, sealed

logger = logging.getLogger("nas_fusion")

SUITE, REPORT, REPORT_MARKDOWN = "suite.json", "report.html", "report.md"


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
    """Comparisons on several data sets.

    Args:
        comparisons: one per data set, in the order in which they were named.
        folder: the suite's, with one study folder per data set in it.
        written: the reports on all of them.
        failures: the data sets on which not one cell has a result, and why.
    """

    comparisons: tuple[Comparison, ...]
    folder: Path
    written: tuple[Path, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def reports(self) -> list[ReportModel]:
        """The report on each data set: what one over all of them is made from."""
        return [c.report for c in self.comparisons]


PartListener = Callable[[Part, Path], None]
"""Called with each data set and its study folder before its comparison begins."""


def part_names(names: Sequence[str]) -> list[str]:
    """The names, made different: a repeated one gets a number, in order (``clicks``, ``clicks-2``)."""
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
    engine: EngineName = RunSettings.engine,
    nni_config: Path | None = None,
    console: Console | None = None,
    listener: CellListener | None = None,
    tuning_listener: TuningListener | None = None,
    sweep_listener: SweepListener | None = None,
    part_listener: PartListener | None = None,
    command: str | None = None,
    reference: str | None = None,
    latex: Path | None = None,
    processes: int = RunSettings.processes,
    time_limit: float | None = None,
    say: Callable[[str], None] | None = None,
) -> Suite:
    """Run the comparisons that are not finished, one data set after the other, then report on all of them.

    Every data set has a study folder of its own, ``<folder>/<name>``, with everything that a comparison's has;
    ``suite.json`` says which there are. What is finished is not run again, so a suite that was killed goes on.

    Args:
        parts: the data sets.
        folder: the suite's.
        storage: URL of Optuna's storage, which workers may share: the studies are called ``<folder's name>/<name>``
            there, and the cells of all of them wait there from the beginning. In each study folder if not given.
        engine, nni_config, console, listener, tuning_listener, sweep_listener, command, reference, processes: as of
            `compare`.
        latex: a file for the table over all data sets in LaTeX.
        part_listener: told of each data set before its comparison begins.
        time_limit: seconds for everything; each data set gets an equal part of what is left then.
        say: as of `compare`, for each data set.

    Raises:
        OptionError: no data sets, or two of the same name.
        StudyError: the folder is a comparison's own; not one cell of any data set could be run; and whatever else
            `compare` raises.
    """
    deadline = Deadline(math.inf if time_limit is None else time_limit)
    names = [part.name for part in parts]
    if not names or len(set(names)) < len(names):
        raise OptionError("data", "data sets with different names, at least one", names)
    root = Path(folder)
    check_suite_folder(root)
    for part in parts:  # all of them, before the first one is begun
        place = root / part.name
        check_comparison(
            part.settings, place, storage=storage, engine=engine, nni_config=nni_config, reference=reference,
            latex=latex, processes=processes,
        )  # fmt: skip
        StudyFolder(place).check(part.settings, part.dataset.fingerprint)
        check_size(part.settings, part.dataset, processes)
    if storage:
        open_storage(storage)  # it may not be reached
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"cannot write to {root}: {error.strerror or error}") from error
    refuse_links(root)
    sweep(root)
    write_text(root / SUITE, sealed({"format": FORMAT_VERSION, "parts": names}) + "\n")
    shared = {name: f"{root.resolve().name}/{name}" for name in names} if storage else {}
    if storage:
        for part in parts:
            offer(part.settings, part.dataset, root / part.name, storage, shared[part.name])
    comparisons, failures = [], []
    for before, part in enumerate(parts):
        if part_listener is not None:
            part_listener(part, root / part.name)
        try:
            result = compare(
                part.settings, part.dataset, root / part.name, storage=storage, name=shared.get(part.name),
                engine=engine, nni_config=nni_config, console=console,
                listener=listener, tuning_listener=tuning_listener, sweep_listener=sweep_listener, command=command,
                reference=reference, processes=processes, say=say,
                time_limit=None if time_limit is None else max(deadline.left, 0) / (len(parts) - before),
            )  # fmt: skip
        except NothingFinishedError as error:
            failures.append((part.name, str(error)))
        else:
            comparisons.append(result)
    if not comparisons:
        raise StudyError("; ".join(f"{name}: {reason}" for name, reason in failures))
    return _reported(Suite(tuple(comparisons), root, failures=tuple(failures)), latex)


def check_suite_folder(folder: str | Path) -> None:
    """Refuse a folder that no suite can have. Writes nothing.

    Raises:
        StudyError: it holds the study of a single log, or something that is no study.
        OptionError: there cannot be such a folder.
    """
    root = Path(folder)
    check_folder_place("study", root)
    if (root / "study.toml").exists():
        raise StudyError(f"{root} holds the study of a single log; choose another --study")
    if root.exists() and not is_suite(root) and any(root.iterdir()):
        raise StudyError(f"{root} is not empty and holds no comparison on several logs; choose another --study")


def is_suite(folder: str | Path) -> bool:
    """Whether a folder is a suite's."""
    return (Path(folder) / SUITE).is_file()


def suite_parts(folder: str | Path) -> list[str]:
    """The names of a suite's data sets, in order.

    Raises:
        StudyError: the folder is no suite's, or its list cannot be read.
    """
    path = Path(folder) / SUITE
    content = read_sealed(path, MADE_ANEW, required=False)
    try:
        version, parts = content["format"], [plain_name(str(name)) for name in content["parts"]]
    except (KeyError, TypeError, ValueError) as error:
        problem = f"damaged: not the list of a comparison on several logs: {error}"
        raise DamagedFileError(path, problem, MADE_ANEW) from error
    if version != FORMAT_VERSION:
        raise StudyError(f"{path}: format {version}, but this version of nas-fusion reads {FORMAT_VERSION}")
    return parts


def rewrite_suite(folder: str | Path, *, reference: str | None = None, latex: Path | None = None) -> Suite:
    """Write a suite's reports again from its cells, finished or not; data sets without a finished cell are left out.

    Args:
        folder: the suite's.
        reference: the strategy to compare with, if not the one that was named before.
        latex: a file for the table over all data sets in LaTeX.

    Raises:
        StudyError: the folder is no suite's; or no cell of any data set is finished.
        UnknownNameError: the reference is none of the strategies with a finished cell.
    """
    root = Path(folder)
    refuse_links(root)
    comparisons, failures = [], []
    for name in suite_parts(root):
        study = StudyFolder(root / name)
        if any(study.path.glob("cells/*")):
            comparisons.append(Comparison(rewrite_reports(study, reference=reference), study))
        elif has_ended(study):
            failures.append((name, "the comparison has ended, and not one of its cells has a result"))
        else:
            logger.warning("%s: no cell is finished yet, so it is left out", study.path)
    if not comparisons:
        raise StudyError(f"no cell of {root} is finished yet")
    return _reported(Suite(tuple(comparisons), root, failures=tuple(failures)), latex)


def _reported(suite: Suite, latex: Path | None) -> Suite:
    paths = [suite.folder / REPORT, suite.folder / REPORT_MARKDOWN]
    write_suite_report(suite.reports, paths[0])
    write_suite_markdown(suite.reports, paths[1])
    if latex is not None:
        write_text(latex, latex_suite_table(suite.reports))
        paths.append(latex)
    return replace(suite, written=tuple(paths))
