"""OptFusion's supernet of a space whose blocks have variants, against the designs that it stands for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nas_fusion.design import FusionDesign
from nas_fusion.measures import Limit, Limits
from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.optfusion.cost_penalty import CostPenalty
from nas_fusion.optfusion.optfusion_block import OptFusionBlock
from nas_fusion.search_spaces import WideSpace, multiply_add_table

FIELDS, LEVELS = [4, 3, 5], 2
SURE = 200.0
"""A logit so large that all others have a weight of zero in float64."""


def ids(rows: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.stack([torch.randint(0, n, (rows,), generator=generator) for n in FIELDS], dim=1)


def supernet(**options: str) -> WideSpace:
    torch.manual_seed(4)
    space = WideSpace(field_sizes=FIELDS, levels=LEVELS, emb_dim=2, product="open")
    OptFusion(**options).mutate_model(space)  # type: ignore[arg-type]
    return space.double()


@torch.no_grad()
def decide(space: WideSpace, design: FusionDesign) -> None:
    for module in space.modules():
        if isinstance(module, OptFusionNode):
            opened = [source in design.sources(module.block) for source in module.sources]
            module.alpha.copy_(torch.tensor([0.5 if is_open else -0.5 for is_open in opened]))
            if module.beta is not None:
                module.beta.copy_(SURE * torch.tensor([o == design.operation(module.block) for o in module.operations]))
        if isinstance(module, OptFusionBlock):
            module.gamma.copy_(SURE * torch.tensor([v == design.variant(module.block) for v in module.variants]))


@pytest.mark.parametrize("seed", range(4))
def test_a_decided_supernet_computes_and_costs_what_its_design_does(seed: int) -> None:
    space = supernet()
    design = space.designs.sample(seed)
    table = multiply_add_table(space)
    decide(space, design)
    with torch.no_grad():
        torch.testing.assert_close(space(ids()), space.derive(design)(ids()), rtol=1e-9, atol=1e-9)
    nodes = [m for m in space.modules() if isinstance(m, OptFusionNode)]
    blocks = [m for m in space.modules() if isinstance(m, OptFusionBlock)]
    penalty = CostPenalty(nodes, Limits((Limit("max-multiply-adds", 1.0, table),)), 1.0, blocks)
    assert penalty.expected_costs() == {"max-multiply-adds": pytest.approx(table.of(design), rel=1e-6)}
    exported: dict[str, Any] = {}
    parts: list[Any] = [*nodes, *blocks]
    for part in parts:
        exported.update(part.export(exported))
    assert FusionDesign.from_sample(exported) == design


def test_every_weight_and_choice_gets_a_gradient_that_may_be_zero_and_is_never_absent() -> None:
    space = supernet()
    space(ids()).sum().backward()
    assert not [name for name, weight in space.named_parameters() if weight.grad is None]
    shares = [m.gamma.grad for m in space.modules() if isinstance(m, OptFusionBlock)]
    assert all(share is not None and bool(share.any()) for share in shares)


@pytest.mark.parametrize("search", ["connections", "operations"])
def test_the_ablations_have_the_first_variant_everywhere(search: str) -> None:
    space = supernet(search=search)
    blocks = [m for m in space.modules() if isinstance(m, OptFusionBlock)]
    assert len(blocks) == 2 * LEVELS + 1
    for block in blocks:
        assert list(block.arch_parameters()) == []
        assert block.choose() == {f"{block.block}/variant": next(iter(block.variants))}
    before = space(ids())
    with torch.no_grad():
        for block in blocks:
            for variant in list(block.variants.values())[1:]:
                for weight in variant.parameters():
                    weight.fill_(torch.nan)
    torch.testing.assert_close(space(ids()), before)
