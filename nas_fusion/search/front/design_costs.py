"""What the candidates of a search cost, counted and never timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import nn

from nas_fusion.architecture import Architecture, Found
from nas_fusion.design import FusionDesign
from nas_fusion.measures import multiply_adds, parameters
from nas_fusion.nn import Fields
from nas_fusion.search.engines import KnownTrainings
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import seeded

_LOOKS_AT_NUMBERS = (RuntimeError, TypeError)
"""What a user's block raises that needs more than shapes."""


class Costs(NamedTuple):
    """What the model of a design costs: multiply-adds of one row when predicting, and weights, embeddings included."""

    multiply_adds: float
    parameters: float

    def within(self, others: Costs) -> bool:
        """Whether neither is above the other's."""
        return self.multiply_adds <= others.multiply_adds and self.parameters <= others.parameters


CostsOf: TypeAlias = "Callable[[Found], Costs]"


def costs_of_designs(task: SearchTask) -> CostsOf:
    """What designs of the fusion space cost, re-trained hard, by the space's own modules; each is counted once.

    Nothing of it takes seconds of the search, or random numbers from it.

    Args:
        task: of the search; where its trainings are known, so are the costs.
    """
    if isinstance(task.engine, KnownTrainings):
        engine = task.engine
        return lambda design: Costs(*engine.costs(_of_the_space(design)))
    return _SpaceCosts(task)


class _SpaceCosts:
    def __init__(self, task: SearchTask) -> None:
        self._task, self._space, self._known = task, _shapes_of(task), dict[FusionDesign, Costs]()

    def __call__(self, design: Found) -> Costs:
        pruned = _of_the_space(design).pruned()
        if pruned not in self._known:
            with self._task.watch.paused(), seeded(self._task.seed):
                self._known[pruned] = self._count(pruned)
        return self._known[pruned]

    def _count(self, design: FusionDesign) -> Costs:
        try:
            return _counted(self._space.sketch(design), self._space.fields)
        except _LOOKS_AT_NUMBERS:  # an error of its own comes again below
            self._space = self._task.make_space()
            return _counted(self._space.sketch(design), self._space.fields)


def costs_of_architectures(task: SearchTask, make_model: Callable[[Architecture, Fields], nn.Module]) -> CostsOf:
    """What the architectures of a search over a space of its own cost, counted on models that are made for it."""
    fields = _shapes_of(task).fields

    def costs(design: Found) -> Costs:
        assert isinstance(design, Architecture), "of a space of its own"
        with task.watch.paused(), seeded(task.seed):
            return _counted(make_model(design, fields), fields)

    return costs


def _of_the_space(design: Found) -> FusionDesign:
    assert isinstance(design, FusionDesign), "of the fusion space"
    return design


def _counted(model: nn.Module, fields: Fields) -> Costs:
    return Costs(multiply_adds(model, fields), parameters(model))


def _shapes_of(task: SearchTask) -> FusionSpace:
    with task.watch.paused(), seeded(task.seed):
        try:
            with torch.device("meta"):  # shapes without numbers: no memory, no time
                return task.make_space()
        except _LOOKS_AT_NUMBERS:
            return task.make_space()
