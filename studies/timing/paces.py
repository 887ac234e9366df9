"""What the trainings of a comparison take on this machine: timed as far as a few seconds go, else guessed by kind."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from nas_fusion.errors import NasFusionError
from nas_fusion.strategy import StrategyEntry
from nas_fusion.studies.setup.assembly import Assembly, assemble
from nas_fusion.studies.setup.jobs import Job, make_job
from nas_fusion.studies.timing.miniature import Miniature
from nas_fusion.studies.timing.pace import Pace, SearchPace, model_pace, search_pace, whole_seconds

REFERENCE = "parallel"
"""Timed first: candidates and found designs are models of its kind."""

MODELS, SUPERNETS = 3.0, 8.0
"""By so much a hand-made model, and a supernet, are slower than `REFERENCE` where they were not timed: about the middle
of those that were measured on three public logs (docs/results)."""

WHOLE_POWER = 1.2
"""Boosted trees take about this power of their rows: sorting is linear, and more rows allow more trees."""

logger = logging.getLogger("nas_fusion")


@dataclass
class Paces:
    """What trainings take.

    Args:
        assembly: of the study.
        reference: of `REFERENCE`.
        models: hand-made model → its pace.
        searches: strategy that searches → its pace.
        wholes: reference that is fitted as a whole → seconds for the whole log.
    """

    assembly: Assembly
    reference: Pace
    models: dict[str, Pace] = field(default_factory=dict)
    searches: dict[str, SearchPace] = field(default_factory=dict)
    wholes: dict[str, float] = field(default_factory=dict)

    def model(self, name: str) -> Pace:
        """Of a re-training of a strategy's models."""
        entry = self.assembly.entries[name]
        if name in self.models:
            return self.models[name]
        is_light = not entry.has_own_space or entry.kind == "multi-trial"
        if is_light and entry.mode == "hard":
            return self.reference
        factor = MODELS if entry.kind == "reference" else SUPERNETS
        return Pace(self.reference.start, factor * self.reference.row, factor * self.reference.valid_row)

    def search(self, name: str) -> SearchPace:
        """Of a search over a supernet."""
        found = self.searches.get(name)
        return found or SearchPace(SUPERNETS * self.reference.row)


def measured_paces(assembly: Assembly, allowed: Callable[[Paces], float]) -> Paces:
    """Time some batches of every kind of training, the reference first; the global random state is left as it was.

    Args:
        assembly: of the study.
        allowed: how many seconds all timings may take, told what is known after the first one; what does not fit is not
            timed.

    Raises:
        NasFusionError: not even the reference can be trained.
    """
    start = time.perf_counter()
    settings, data = assembly.settings, assembly.dataset.search_view()
    piece = Miniature.of(data, settings.batch_size(len(data.train)))
    seed = settings.seeds[0]
    with _quietly():
        timed = _with_reference(assembly)
        paces = Paces(timed, model_pace(make_job(timed, REFERENCE, seed), piece))
        most = allowed(paces)
        for entry in _in_turns(assembly):
            if time.perf_counter() - start > most:
                break
            _time(paces, make_job(assembly, entry.name, seed), piece)
    return paces


def _with_reference(assembly: Assembly) -> Assembly:
    """The same, with `REFERENCE` among its strategies: a tuning has one strategy alone."""
    settings = assembly.settings
    if REFERENCE in assembly.entries:
        return assembly
    return assemble(replace(settings, strategies=(*settings.strategies, REFERENCE)), assembly.dataset)


def _time(paces: Paces, job: Job, piece: Miniature) -> None:
    entry = job.entry
    try:
        if entry.fit_model is not None:
            paces.wholes[entry.name] = whole_seconds(job, piece) / piece.share**WHOLE_POWER
        elif entry.kind == "reference":
            paces.models[entry.name] = model_pace(job, piece)
        else:
            paces.searches[entry.name] = search_pace(job, piece)
    except NasFusionError:
        return  # on so few rows; its kind's pace is taken


def _in_turns(assembly: Assembly) -> Iterator[StrategyEntry]:
    """What is to be timed: searches and models in turns, so that a timing that ends early has some of each."""
    entries = assembly.entries.values()
    searches = [e for e in _searched(assembly) if e.kind == "one-shot"]
    models = [e for e in entries if e.kind == "reference" and e.has_own_space]
    for place in range(max(len(searches), len(models), 0)):
        yield from searches[place : place + 1]
        yield from models[place : place + 1]


def _searched(assembly: Assembly) -> list[StrategyEntry]:
    """Strategies that search, one for each search."""
    found: dict[str, StrategyEntry] = {}
    for entry in assembly.entries.values():
        if entry.kind != "reference":
            found.setdefault(entry.search_name, entry)
    return list(found.values())


@contextmanager
def _quietly() -> Iterator[None]:
    """What a training warns of on a few rows is true of these alone."""
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
