"""Searches that serve several cells: run by whichever comes first, and kept in the study folder for the others."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from nas_fusion.errors import DamagedFileError
from nas_fusion.search import SearchOutcome, load_search, run_search, save_search
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.studies.cells.anytime import SavedIncumbents, figures_of, with_test_figures, without_test_figures
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.conditions import provenance
from nas_fusion.studies.setup.jobs import Job
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import lock_file

logger = logging.getLogger("nas_fusion")


def is_shared(assembly: Assembly, entry: StrategyEntry) -> bool:
    """Whether a search of this entry serves, or may serve, another one; tuned strategies search for themselves."""
    if assembly.settings.tune or not _serves(assembly, entry):
        return False
    return any(
        other.shares_search_with == entry.search_name and _serves(assembly, other)
        for other in assembly.entries.values()
    )


def shared_search(assembly: Assembly, job: Job, folder: StudyFolder) -> SearchOutcome:
    """Run a search that serves several cells, or take what an earlier one of them has found.

    Processes that share the folder take turns, and the second finds what the first has found.

    Args:
        assembly: of the study.
        job: of one of the cells.
        folder: of the study.

    Raises:
        NasFusionError: whatever ends a search.
    """
    entry, task = job.entry, job.task
    place = folder.search(entry.search_name, task.seed)
    place.parent.mkdir(exist_ok=True)
    with lock_file(place.parent / f".{place.name}.lock"):
        outcome = _kept_search(place)
        if outcome is None:
            outcome = run_search(STRATEGIES.get(entry.search_name), task, job.parameters)
            outcome = replace(outcome, provenance=provenance(task.config, assembly.dataset))
            # The search is over, and another process may be the one that uses it next.
            if isinstance(task.incumbents, SavedIncumbents):
                figures = task.incumbents.measure(assembly.dataset.test, task.config)
                outcome = replace(outcome, trace=with_test_figures(outcome.trace, figures))
            save_search(place, outcome)
    if isinstance(task.incumbents, SavedIncumbents):
        task.incumbents.figures |= figures_of(outcome.trace)
    # The re-training must not see test figures.
    return replace(outcome, trace=without_test_figures(outcome.trace))


def _serves(assembly: Assembly, entry: StrategyEntry) -> bool:
    return entry.shares_search_with is None or assembly.hyperparameters[entry.name].shares_search


def _kept_search(folder: Path) -> SearchOutcome | None:
    try:
        return load_search(folder)
    except DamagedFileError as error:
        logger.warning("%s: the search is repeated", error)
        return None
