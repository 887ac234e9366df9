"""Hand-made designs: the reference that searching has to beat."""

from __future__ import annotations

from itertools import pairwise

from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign
from nas_fusion.search_spaces import DesignSet
from nas_fusion.strategy import StrategyEntry


def _merge(designs: DesignSet, preferred: str) -> str:
    return preferred if preferred in designs.operations else designs.operations[0]


def _chain(blocks: list[str]) -> list[tuple[str, str]]:
    return list(pairwise(blocks))


def stacked(designs: DesignSet) -> FusionDesign:
    """Crosses below, deep blocks on top of them, one chain: DCN's *stacked* form (Wang et al., WWW 2021, fig. 1a).

    The lower half of the levels holds crosses, the upper half deep blocks; ``cross0`` is the first cross.
    """
    crosses = [f"cross{i}" for i in range(1, designs.levels // 2 + 1)]
    deeps = [f"deep{i}" for i in range(designs.levels // 2 + 1, designs.levels + 1)]
    chain = _chain([EMBEDDING, "cross0", *crosses, *deeps, OUTPUT])
    return designs.build(chain, _merge(designs, "add"))


def parallel(designs: DesignSet) -> FusionDesign:
    """A tower of crosses beside a tower of deep blocks, concatenated: DCN's *parallel* form (fig. 1b)."""
    levels = range(1, designs.levels + 1)
    crosses = _chain([EMBEDDING, "cross0", *(f"cross{i}" for i in levels), OUTPUT])
    deeps = _chain([EMBEDDING, *(f"deep{i}" for i in levels), OUTPUT])
    design = designs.build(crosses + deeps, _merge(designs, "add"))
    return design.changed(operations={OUTPUT: _merge(designs, "concat")})


STACKED_ENTRY = StrategyEntry(
    "stacked", "reference", "hand-made: crosses, then deep blocks on top of them", stacked, point=stacked
)

PARALLEL_ENTRY = StrategyEntry(
    "parallel", "reference", "hand-made: a tower of crosses beside a tower of deep blocks", parallel, point=parallel
)
