"""Test AUCs for anytime curves: incumbents are kept while a search runs, and measured when it is over.

No strategy sees a test row: while it runs there are weights on disk and nothing else, and what is measured afterwards
goes into the record only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nas_fusion.data import EncodedSplit
from nas_fusion.errors import TrainingError
from nas_fusion.records import TracePoint
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.jobs import Job
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import load_tensors, save_tensors, sweep, temporary_folder
from nas_fusion.training import TrainConfig, evaluate_auc, seeded

TestFigures = Mapping[int, float]
"""Test AUC by a point's place in its search's trace, from 0."""


class _Kept(NamedTuple):
    place: int
    valid_auc: float
    file: Path
    skeleton: nn.Module


class SavedIncumbents:
    """Keeps the weights of every model that was better on validation rows than all before it, in a folder.

    Memory holds the models without their weights. The folder grows by one model's weights with every new best.

    Args:
        folder: exists, and is cleared away by whoever made it.

    Attributes:
        figures: what was measured so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.figures: dict[int, float] = {}
        self._kept: list[_Kept] = []
        self._number = 0

    def keep(self, model: nn.Module, point: TracePoint, place: int) -> None:
        """See `nas_fusion.search.Incumbents`.

        Raises:
            StudyError: the weights cannot be written.
        """
        if self._kept and point.valid_auc <= self._kept[-1].valid_auc:
            return
        self._number += 1
        file = self.folder / f"{self._number}.pt"
        save_tensors(file, model.state_dict())
        self._kept.append(_Kept(place, point.valid_auc, file, skeleton(model)))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """See `nas_fusion.search.Incumbents`."""
        before = len(self._kept)
        try:
            yield
        except TrainingError:
            for kept in self._kept[before:]:
                kept.file.unlink()
            del self._kept[before:]
            raise

    def measure(self, split: EncodedSplit, config: TrainConfig) -> dict[int, float]:
        """Add the AUC of every kept model on a split to the figures; the files are deleted, nothing is kept any more.

        A model whose predictions are not finite there has none.

        Raises:
            StudyError: weights cannot be read.
        """
        while self._kept:
            place, _, file, model = self._kept.pop(0)
            model.load_state_dict(load_tensors(file), assign=True)
            file.unlink()
            try:
                with seeded(config.seed):  # a supernet may draw random numbers
                    self.figures[place] = evaluate_auc(model, split, config)
            except TrainingError:
                continue
        return self.figures


def skeleton(model: nn.Module) -> nn.Module:
    """A copy of a model whose parameters and buffers take no memory, until weights are assigned to it."""
    memo: dict[int, Tensor] = {}
    for tensor in model.state_dict(keep_vars=True).values():
        empty = torch.empty_like(tensor, device="meta")
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if is_parameter else empty
    return copy.deepcopy(model, memo)


def without_test_figures(trace: Sequence[TracePoint]) -> tuple[TracePoint, ...]:
    """The trace as the search gave it."""
    return tuple(replace(p, test_auc=None) for p in trace)


def figures_of(trace: Sequence[TracePoint]) -> dict[int, float]:
    """What `with_test_figures` put in."""
    return {place: p.test_auc for place, p in enumerate(trace) if p.test_auc is not None}


def with_test_figures(trace: Sequence[TracePoint], figures: TestFigures) -> tuple[TracePoint, ...]:
    """The trace with the test AUCs of its incumbents."""
    return tuple(replace(p, test_auc=figures.get(place)) for place, p in enumerate(trace))


@contextmanager
def keeping_incumbents(assembly: Assembly, folder: StudyFolder, job: Job) -> Iterator[tuple[Job, TestFigures]]:
    """A job whose task keeps its incumbents, and their test AUCs, which are there after the block.

    Raises:
        WriteError: the folder for their weights cannot be made.
    """
    entry, task = job.entry, job.task
    if not assembly.settings.anytime_test or entry.kind == "reference":
        yield job, {}
        return
    with incumbents_folder(folder.path, f"{entry.name}-{task.seed}") as place:
        incumbents = SavedIncumbents(place)
        yield replace(job, task=replace(task, incumbents=incumbents)), incumbents.figures
        incumbents.measure(assembly.dataset.test, task.config)


@contextmanager
def incumbents_folder(study: Path, cell: str) -> Iterator[Path]:
    """A hidden folder in the study's; those of processes that died are cleared away.

    Raises:
        WriteError: it cannot be made.
    """
    sweep(study)
    with temporary_folder(study, f"incumbents-{cell}") as folder:
        yield folder
