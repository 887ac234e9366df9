"""What a table of designs is made of: which designs, how they are trained, and what goes together into a stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.search_spaces import DesignSet, canonical, design_code, different_designs
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.lab.table_settings import TableSettings
from nas_fusion.training import TrainConfig

MOST_LISTED = 1 << 20
"""Samples of a space that are gone through one by one; of a larger one a part is drawn."""

MOST_AGAIN = 1000
"""Designs drawn one after the other that were drawn before: there are hardly any others."""


@dataclass(frozen=True)
class TablePlan:
    """What is trained for a table.

    Args:
        settings: of a comparison: log, space, recipe and seeds count. A recipe of choice "auto" is its defaults here.
        extent: which designs, and for how long.

    Raises:
        OptionError: the whole of a space that is too large is asked for, or a model with batch norm or dropout.
    """

    settings: ComparisonSettings
    extent: TableSettings = field(default_factory=TableSettings)

    def __post_init__(self) -> None:
        if self.settings.model.batch_norm or self.settings.model.dropout:
            raise OptionError("batch_norm and dropout", "off for a table of designs", self.settings.model)
        if not self.extent.part and self.space.size > MOST_LISTED:
            raise OptionError("part", f"given for a space of {self.space.size:,} samples", self.extent.part)

    @property
    def epochs(self) -> int:
        """Of every training."""
        return self.extent.epochs

    @property
    def space(self) -> DesignSet:
        """The space without weights."""
        return DesignSet(self.extent.levels)

    def config(self, rows: int, seed: int) -> TrainConfig:
        """The recipe for so many training rows: that of a search's candidates, for all epochs."""
        return replace(self.settings.train_config(rows, seed), max_epochs=self.epochs, patience=0, lr_drop=1.0)

    def designs(self) -> list[FusionDesign]:
        """The designs of the table, each canonical, in the order of their numbers."""
        space = self.space
        found = different_designs(space) if not self.extent.part else self._drawn(space)
        return sorted(found, key=lambda design: design_code(design, space))

    def _drawn(self, space: DesignSet) -> list[FusionDesign]:
        rng = np.random.default_rng(0)  # the same part for every seed of a training
        drawn: dict[FusionDesign, None] = {}
        again = 0
        # A space of few designs has no more than it has, however often one draws.
        while len(drawn) < self.extent.part and again < MOST_AGAIN:
            before = len(drawn)
            drawn[canonical(space.sample(rng))] = None
            again = again + 1 if len(drawn) == before else 0
        return list(drawn)

    def stacks(self) -> Iterator[tuple[FusionDesign, ...]]:
        """The designs that are trained side by side: alike in their operations, and near each other in their inputs."""

        def operations(design: FusionDesign) -> tuple[tuple[str, str], ...]:
            return design.operations

        for _, group in groupby(sorted(self.designs(), key=operations), operations):
            alike = list(group)
            # Of about one size: a stack of a few costs as much as one of twice as many.
            count = -(-len(alike) // self.extent.stack)
            ends = [len(alike) * piece // count for piece in range(count + 1)]
            yield from (tuple(alike[start:end]) for start, end in pairwise(ends))

    def facts(self) -> dict[str, Any]:
        """What a table says of how it was made, as plain values."""
        settings = self.settings
        return {
            "levels": self.extent.levels,
            "operations": list(self.space.operations),
            "part": self.extent.part,
            "epochs": self.epochs,
            "emb_dim": settings.emb_dim,
            "recipe": settings.to_dict()["recipe"],
            "data": settings.data.to_dict(),
        }
