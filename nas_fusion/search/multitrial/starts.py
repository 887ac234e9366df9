"""Searches that start from hand-made designs: their first candidates, which count like any other."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.nni_bridge import BudgetedEngine, CandidateSpace, Strategy
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import STRATEGIES
from nas_fusion.strategy.abilities import TakesUpDesigns

logger = logging.getLogger("nas_fusion")


@dataclass(frozen=True)
class Starts:
    """The designs that a search starts from.

    Args:
        designs: in their order, by the name of the reference whose they are; no two compute the same.
        left_out: why others are not among them, by the same names.
    """

    designs: Mapping[str, FusionDesign] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, task: SearchTask, space: FusionSpace) -> Starts:
        """Those of a search: of every registered reference that is a design of the space, if it starts from them."""
        wanted = space.starts_from_handmade if task.start_from == "auto" else task.start_from == "handmade"
        return cls._handmade(space) if wanted else cls()

    @classmethod
    def _handmade(cls, space: FusionSpace) -> Starts:
        found: dict[str, FusionDesign] = {}
        left_out: dict[str, str] = {}
        for name, entry in STRATEGIES:
            if entry.point is None:
                continue
            design = entry.point(space.designs)
            problem = "no design of this space" if design is None else space.designs.problem(design)
            if design is None or problem is not None:
                left_out[name] = str(problem)
            elif design.pruned() not in {known.pruned() for known in found.values()}:
                found[name] = design
        return cls(found, left_out)

    def name_of(self, design: FusionDesign, place: int) -> str | None:
        """Whose design a candidate is, by its place among the candidates; None behind the starts."""
        names = [name for name, start in self.designs.items() if start == design]
        return names[0] if names and place < len(self.designs) else None

    def warn_if_all(self, task: SearchTask) -> None:
        """Say so where nothing is searched, because the starts take all candidates."""
        if self.designs and len(self.designs) >= task.candidates:
            logger.warning(
                "%s: hand-made designs take all of its %s candidates, so nothing is searched: %s. More candidates, or "
                "--start-from nothing",
                task.label, task.candidates, ", ".join(self.designs),
            )  # fmt: skip

    def details(self) -> dict[str, Any]:
        """What a search's record says of them; nothing where it started from nothing."""
        if not (self.designs or self.left_out):
            return {}
        designs = {name: str(design) for name, design in self.designs.items()}
        return {"starts": designs, **({"starts_left_out": dict(self.left_out)} if self.left_out else {})}


def begin(strategy: Strategy, starts: Starts, space: CandidateSpace, engine: BudgetedEngine) -> None:
    """Make the starts a search's first candidates: the strategy takes them up if it can; if not, they run before it.

    Args:
        strategy: that has not been called yet.
        starts: of the search.
        space: that makes candidates.
        engine: that runs them.
    """
    samples = [design.to_sample() for design in starts.designs.values()]
    if isinstance(strategy, TakesUpDesigns):
        strategy.take_up(samples)
        return
    for sample in samples:
        if not engine.budget_available():
            return
        engine.submit_models(space.freeze(sample))
