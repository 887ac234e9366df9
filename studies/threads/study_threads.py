"""How many threads the trainings of a study take: measured once, and remembered, so that its numbers stay the same."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from nas_fusion.data import default_cache
from nas_fusion.errors import DamagedFileError, WriteError
from nas_fusion.studies.setup.conditions import device_name
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.cores import is_said_by_user, usable_cores
from nas_fusion.system.files import lock_file, write_text
from nas_fusion.system.seals import read_sealed, sealed
from nas_fusion.system.told import tell
from nas_fusion.training.threads import ThreadRule, following, measure_crossover, with_threads

logger = logging.getLogger("nas_fusion")

FORMAT_VERSION = 1
MEASURED = "threads.json"
"""In the cache: what was measured on this machine, by `_machine`."""

BUSY_SHARE = 0.25
"""Of the cores: where others have more of them, several threads look worse than they are."""

_REMEDY = "delete it to measure again; numbers that are still to come may then differ in their last digits"


@contextmanager
def sharing_cores(rule: Mapping[str, Any] | None) -> Iterator[None]:
    """Let this process take the cores that it may use, and its trainings follow the rule that a coordinator announced.

    Args:
        rule: of `ThreadRule.to_dict`; None: all trainings take all threads.
    """
    with with_threads(_most_threads()), following(None if rule is None else ThreadRule.from_dict(rule)):
        yield


@contextmanager
def deciding_threads(study: StudyFolder) -> Iterator[None]:
    """The same for the process that coordinates a study, whose rule is measured if nobody has done so yet.

    What the study says already holds, then what was measured on this machine before; only then a few networks are
    timed, for about a second. What was measured while others were busy holds for this study alone. Nothing is measured
    where the user says how many threads there are, where there is one core, and in a study some of whose cells were
    computed before there were rules.

    Args:
        study: its folder, which is there and held by this process.

    Raises:
        DamagedFileError: the study's rule was changed since it was written.
    """
    most = _most_threads()
    with with_threads(most), following(_rule_of(study, most)):
        yield


@contextmanager
def measured_threads() -> Iterator[None]:
    """The same for trainings outside of a study: what was measured on this machine holds."""
    most = _most_threads()
    content = None if is_said_by_user() or most == 1 else _measured(most)
    with with_threads(most), following(None if content is None else ThreadRule.from_dict(content)):
        yield


def _most_threads() -> int:
    return torch.get_num_threads() if is_said_by_user() else min(torch.get_num_threads(), usable_cores())


def _rule_of(study: StudyFolder, most: int) -> ThreadRule | None:
    known = study.threads.exists()
    if is_said_by_user():
        if known:
            logger.warning(
                "%s says from how much work on a training takes several threads; now all take %d, as the user says, so "
                "numbers may differ from those of finished cells in their last digits", study.threads, most,
            )  # fmt: skip
        return None
    if not known and (most == 1 or study.finished_cells()):
        return None
    content = read_sealed(study.threads, _REMEDY) if known else _measured(most)
    try:
        rule = ThreadRule.from_dict(content)
        words = _in_words(rule, int(content["threads"]), most) + _when(content)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(study.threads, f"damaged: no rule for threads: {error}", _REMEDY) from error
    if not known:
        write_text(study.threads, sealed(content) + "\n")
    tell(words)
    return rule


def _in_words(rule: ThreadRule, threads: int, most: int) -> str:
    if math.isinf(rule.from_work):
        return f"threads: 1 for every training; {threads} were not faster where that was timed ({MEASURED})"
    return (
        f"threads: {most} for a training with {rule.from_work / 1e6:,.0f} million multiply-adds a step or more, 1 for "
        f"smaller ones ({MEASURED})"
    )


def _measured(most: int) -> dict[str, Any]:
    """What this machine's memory says of so many threads; it is measured and put there if it says nothing."""
    path, machine = default_cache() / MEASURED, f"{_machine()}, {most} threads"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(path.with_name(f".{path.name}.lock")):
            known = _memory(path)
            if machine not in known:
                found = _timed(most)
                if _is_busy(found):
                    return found
                known[machine] = found
                write_text(path, sealed(known) + "\n")
            return dict(known[machine])
    except (OSError, WriteError) as error:
        logger.warning("what was measured of threads cannot be kept for other studies: %s", error)
        return _timed(most)


def _memory(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return read_sealed(path)
    except DamagedFileError as error:
        logger.warning("%s; it is made anew", error)
        return {}


def _machine() -> str:
    return f"{device_name(torch.device('cpu'))}, torch {torch.__version__}"


def _timed(most: int) -> dict[str, Any]:
    load = os.getloadavg()[0]  # before this process makes its own
    found = measure_crossover(most)
    times = [{"work": time.work, "ms": [1e3 * time.one, 1e3 * time.several]} for time in found.times]
    return {"format": FORMAT_VERSION, "threads": most, **found.rule.to_dict(), "load": load, "timed": times}


def _is_busy(found: Mapping[str, Any]) -> bool:
    """Whether others had the cores when that was timed; this process counts for one."""
    return float(found["load"]) > 1 + BUSY_SHARE * usable_cores()


def _when(found: Mapping[str, Any]) -> str:
    return f"; others were busy when that was timed, with a load of {found['load']:.1f}" if _is_busy(found) else ""
