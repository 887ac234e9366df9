"""Gates: strict, straight-through, able to open again; the supernet's start; the ablations."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nas_fusion.design import OPERATIONS, FusionDesign, fused_blocks
from nas_fusion.errors import OptionError
from nas_fusion.measures import multiply_adds
from nas_fusion.optfusion import OptFusion, OptFusionNode, binary_gate
from nas_fusion.search_spaces import FusionSpace

FIELDS = [4, 3, 5]


def supernet(**options: Any) -> tuple[FusionSpace, dict[str, OptFusionNode]]:
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=FIELDS, levels=2, emb_dim=2)
    OptFusion(**options).mutate_model(space)
    return space, {m.block: m for m in space.modules() if isinstance(m, OptFusionNode)}


def ids() -> torch.Tensor:
    return torch.stack([torch.arange(6) % n for n in FIELDS], dim=1)


def test_gates_are_strict_and_binary() -> None:
    alpha = torch.tensor([0.5, 1e-9, 0.0, -0.0, -1e-9, -3.0])
    assert binary_gate(alpha).tolist() == [1, 1, 0, 0, 0, 0]


def test_gradient_passes_every_gate_unclipped() -> None:
    alpha = torch.tensor([5.0, -5.0, 0.0], requires_grad=True)
    (binary_gate(alpha) * torch.tensor([100.0, -100.0, 7.0])).sum().backward()
    assert alpha.grad is not None
    assert alpha.grad.tolist() == [100.0, -100.0, 7.0]


def test_a_closed_gate_opens_again_when_its_input_helps() -> None:
    space, nodes = supernet()
    nodes["output"].alpha.data.fill_(-0.05)  # everything closed
    labels = torch.tensor([1.0, 0, 1, 0, 1, 0])
    optimiser = torch.optim.Adam(space.parameters(), lr=0.02)
    opened = False
    for _ in range(50):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(space(ids()), labels).backward()
        optimiser.step()
        opened = opened or bool((nodes["output"].alpha > 0).any())
    assert opened


def test_start_is_the_published_one() -> None:
    _, nodes = supernet()
    assert all(torch.equal(n.alpha, torch.full_like(n.alpha, 0.5)) for n in nodes.values())
    betas = torch.cat([n.beta.detach() for n in nodes.values() if n.beta is not None])
    assert 0.1 < float(betas.std()) < 1.5  # xavier_normal on 1 x 4: standard deviation (2 / 5)^.5 = .63


def test_embeddings_start_at_one_hundredth() -> None:
    space = FusionSpace(field_sizes=[5000], levels=1, emb_dim=8)
    assert float(space.network.embedding.table.weight.detach().std()) == pytest.approx(1e-2, rel=0.05)


def test_connections_only_keeps_one_operation() -> None:
    space, nodes = supernet(search="connections", operation="concat")
    assert all(
        n.mixture() == {"add": 0, "product": 0, "concat": 1, "attention": 0}
        for n in nodes.values()
        if n.beta is not None
    )
    space(ids()).sum().backward()
    names = {name for name, p in space.named_parameters() if p.grad is not None and torch.isfinite(p.grad).all()}
    assert "network.nodes.output.alpha" in names
    assert "network.nodes.output.beta" not in names


@pytest.mark.parametrize("only", OPERATIONS)
def test_connections_only_computes_one_operation(only: str) -> None:
    """The same numbers as a mixture with all weight on it, whatever the weights of the others are."""
    space, nodes = supernet(search="connections", operation=only)
    mixed, mixing = supernet()
    for block, node in nodes.items():
        node.alpha.data[-1:] = -0.5
        mixing[block].alpha.data.copy_(node.alpha.data)
        if node.beta is not None:
            mixing[block].beta.data.copy_(node.beta.data)  # type: ignore[union-attr]
    mixed.load_state_dict(space.state_dict())
    others = [p for name, p in space.named_parameters() if ".operations." in name and f".{only}." not in name]
    for parameter in others:
        parameter.data.fill_(torch.nan)
    logits, expected = space(ids()), mixed(ids())
    torch.testing.assert_close(logits, expected)
    logits.sum().backward()
    expected.sum().backward()
    assert all(p.grad is None for p in others)
    for block, node in nodes.items():
        torch.testing.assert_close(node.alpha.grad, mixing[block].alpha.grad)
    assert 3 * multiply_adds(space, space.fields) < multiply_adds(mixed, mixed.fields) or only in MATRICES


MATRICES = ("concat", "attention")
"""Operations that are most of a mixture's work."""


def test_connections_only_is_finite_where_the_others_are_not() -> None:
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=FIELDS, levels=1, emb_dim=2)
    OptFusion(search="connections").mutate_model(space)
    space.network.embedding.table.weight.data.fill_(1e12)  # the output's product is 1e96
    logits = space(ids())
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in space.parameters())


def test_operations_only_keeps_every_connection_open() -> None:
    _, nodes = supernet(search="operations")
    architecture = [p for n in nodes.values() for p in n.arch_parameters()]
    assert len(architecture) == len(fused_blocks(2))
    assert all(set(n.connection_scores()) == {0.5} for n in nodes.values())


def test_export_is_legal_even_if_everything_closed() -> None:
    space, nodes = supernet()
    for node in nodes.values():
        node.alpha.data.fill_(-1.0)
    nodes["output"].alpha.data[-1] = -0.5  # deep2 is the least closed input of the output
    nodes["deep2"].alpha.data[0] = -0.5
    sample: dict[str, Any] = {}
    for node in nodes.values():
        sample.update(node.export(sample))
    design = FusionDesign.from_sample(sample)
    assert design.connections == (("embedding", "deep2"), ("deep2", "output"))
    assert space.contains(sample)


def test_mixtures_may_start_even() -> None:
    _, nodes = supernet(mixture_start="uniform")
    assert all(not n.beta.detach().any() for n in nodes.values() if n.beta is not None)
    with pytest.raises(OptionError, match="mixture_start must be"):
        supernet(mixture_start="random")


def test_a_product_may_leave_closed_inputs_out_while_searching() -> None:
    _, published = supernet()
    _, improved = supernet(product="open")
    for nodes, rule in ((published, "zero"), (improved, "open")):
        assert {n.operations["product"].rule for n in nodes.values() if n.operations} == {rule}


def test_bad_options_are_named() -> None:
    with pytest.raises(OptionError, match="product must be"):
        supernet(product="none")
    with pytest.raises(OptionError, match="warm_up must be zero or a positive integer, got -1"):
        OptFusion(warm_up=-1)
    with pytest.raises(OptionError, match="proposed_share must be from 0 to 1, got 2"):
        OptFusion(proposed_share=2)
    with pytest.raises(OptionError, match="arch_learning_rate must be a positive number, got 0"):
        OptFusion(arch_learning_rate=0)
    with pytest.raises(OptionError, match="search must be"):
        OptFusion(search="gates")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="operation must be one of"):
        supernet(search="connections", operation="mean")
