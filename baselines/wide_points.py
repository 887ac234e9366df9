"""Hand-made models as designs of the space `wide`, and of other fusion spaces where they are some.

A point computes what its model computes, for weights that give the same logits, if the model has the sizes that stand
below; its training from first weights is nearly the same, since the head's map is made of two where the model has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType

from nas_fusion.baselines.models.handmade_model import HandMade
from nas_fusion.design import EMBEDDING, OUTPUT, Connection, FusionDesign, variant_blocks
from nas_fusion.search_spaces import DesignSet

Point = Callable[[DesignSet], FusionDesign | None]


def fnn(designs: DesignSet) -> FusionDesign | None:
    """The tower alone: FNN with the tower of `nas_fusion.baselines.models.ModelShape`."""
    return _design(designs, _chain(EMBEDDING, "deep1", OUTPUT), {}, {"deep1": "tower"})


def dcnv2_stacked(designs: DesignSet) -> FusionDesign | None:
    """As many full-matrix crosses as there are levels, L, and the tower on top of them."""
    crosses, tower = [f"cross{i}" for i in range(designs.levels)], f"deep{designs.levels}"
    return _design(designs, _chain(EMBEDDING, *crosses, tower, OUTPUT), {}, {**_all(crosses, _MATRIX), tower: "tower"})


def dcnv2_parallel(designs: DesignSet) -> FusionDesign | None:
    """L + 1 full-matrix crosses beside the tower: at three levels four of them, the model's default."""
    crosses = [f"cross{i}" for i in range(designs.levels + 1)]
    connections = [*_chain(EMBEDDING, *crosses, OUTPUT), *_chain(EMBEDDING, "deep1", OUTPUT)]
    return _design(designs, connections, {OUTPUT: "concat"}, {**_all(crosses, _MATRIX), "deep1": "tower"})


def edcn(designs: DesignSet) -> FusionDesign | None:
    """L layers with products as bridges; the head sees both towers and their product, which `bilinear` holds."""
    layers = range(1, designs.levels + 1)
    crosses, deeps = [f"cross{i}" for i in layers], [f"deep{i}" for i in layers]
    connections = [
        (EMBEDDING, "cross1"),
        (EMBEDDING, "deep1"),
        ("cross" + str(designs.levels), OUTPUT),
        (deeps[-1], OUTPUT),
    ]
    for before, after in pairwise(layers):
        connections += [(f"{s}{before}", f"{t}{after}") for s in ("cross", "deep") for t in ("cross", "deep")]
    bridges = _all([*crosses[1:], *deeps[1:]], "product")
    variants = {**_all(crosses, "regulated-cross"), **_all(deeps, "regulated-dense")}
    return _design(designs, connections, {**bridges, OUTPUT: "bilinear"}, variants)


def finalmlp(designs: DesignSet) -> FusionDesign | None:
    """Two gated layers of the blocks' width, merged by the bilinear form; needs two levels."""
    if designs.levels < 2:
        return None
    streams = ["deep1", "deep2"]
    connections = [c for stream in streams for c in _chain(EMBEDDING, stream, OUTPUT)]
    return _design(designs, connections, {OUTPUT: "bilinear"}, _all(streams, "gated-dense"))


POINTS: Mapping[str, Point] = MappingProxyType(
    {
        "fnn": fnn,
        "dcnv2-stacked": dcnv2_stacked,
        "dcnv2-parallel": dcnv2_parallel,
        "edcn": edcn,
        "finalmlp": finalmlp,
    }
)
"""By the model's name: its design in a set whose designs say what stands in the blocks' places."""


def point_of(model: HandMade) -> Point | None:
    """The design of a model from which searches may start, as an entry offers it; None where it is none anywhere."""
    wide, plain = POINTS.get(model.name), model.design if model.space is None else None
    if wide is None and plain is None:
        return None

    def point(designs: DesignSet) -> FusionDesign | None:
        made = wide if designs.has_variants else plain
        return None if made is None else made(designs)

    return point


_MATRIX = "matrix-cross"


def _design(
    designs: DesignSet, connections: list[Connection], operations: Mapping[str, str], variants: Mapping[str, str]
) -> FusionDesign | None:
    """The design, merging by the set's first operation where nothing is said; None where the set does not have it."""
    chosen = {block: variants[block] for block in variant_blocks(designs.levels) if block in variants}
    design = designs.build(connections, designs.operations[0], chosen).changed(operations=operations)
    return design if designs.unlimited.problem(design) is None else None


def _all(blocks: list[str], name: str) -> dict[str, str]:
    return dict.fromkeys(blocks, name)


def _chain(*blocks: str) -> list[Connection]:
    return list(pairwise(blocks))
