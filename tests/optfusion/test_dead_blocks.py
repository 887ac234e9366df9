"""A block whose consumers all closed it goes on by momentum and L2, however the mixture is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from nas_fusion.data import SearchData
from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign
from nas_fusion.nn.mixture import FAST_MIXTURES, MIXTURES, Way, mixing_by
from nas_fusion.nni_bridge import RawFormatModelSpace, SequentialExecutionEngine
from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.testing import tiny_data
from nas_fusion.training import TrainConfig, oneshot_evaluator

STEPS, BATCH = 100, 10
CONFIG = TrainConfig(
    learning_rate=0.01, network_l2=1e-4, embedding_l2=1e-4, batch_size=BATCH, max_samples=STEPS * BATCH,
    patience=0, device="cpu", precision="64",
)  # fmt: skip
WAYS: tuple[Way, ...] = get_args(Way)


def nodes_of(supernet: nn.Module) -> dict[str, OptFusionNode]:
    return {m.block: m for m in supernet.modules() if isinstance(m, OptFusionNode)}


def dead_blocks(nodes: Mapping[str, OptFusionNode]) -> set[str]:
    """Blocks that every consumer closed."""
    wanted = {
        source
        for node in nodes.values()
        for source, alpha in zip(node.sources, node.connection_scores(), strict=True)
        if alpha > 0
    }
    return set(nodes) - wanted - {OUTPUT, EMBEDDING}


class DeadSteps(pl.Callback):
    """Counts the steps in which a block is dead."""

    def __init__(self) -> None:
        self.steps = self.dead = 0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        self.steps += 1
        self.dead += bool(dead_blocks(nodes_of(pl_module)))


class Searched(NamedTuple):
    state: dict[str, Tensor]
    design: FusionDesign
    dead: int


def search(way: Way, seed: int, data: SearchData) -> Searched:
    """A whole search with the published rate for Criteo's architecture."""
    watch = DeadSteps()
    strategy = OptFusion(arch_learning_rate=0.3)
    with mixing_by(way):
        run = oneshot_evaluator(data, TrainConfig(**{**vars(CONFIG), "seed": seed}), keep_best=False, callbacks=[watch])
        space = FusionSpace.for_schema(data.schema, levels=2, emb_dim=1)
        strategy(RawFormatModelSpace(space, run.evaluator), SequentialExecutionEngine())
    assert watch.steps == STEPS
    state = {name: value.detach().clone() for name, value in strategy.supernet.state_dict().items()}
    return Searched(state, FusionDesign.from_sample(next(iter(strategy.list_models())).sample), watch.dead)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(Path(tmp_path_factory.mktemp("nas-fusion")))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_whole_searches_end_alike_in_every_way(seed: int, data: SearchData) -> None:
    """Weights, α and β after 100 steps, and the design that they give."""
    first, *others = [search(way, seed, data) for way in WAYS]
    assert first.dead > 10, "no block was dead for long: this search shows nothing"
    for other in others:
        assert other.design == first.design
        assert other.dead == first.dead
        for name, value in first.state.items():
            torch.testing.assert_close(other.state[name], value, rtol=0, atol=1e-9, msg=name)


def stepped(way: Way, optimiser: type[torch.optim.Optimizer], **options: Any) -> dict[str, Tensor]:
    """A supernet after 40 steps, in the second half of which one block after the other is dead."""
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=[5, 4, 3], levels=2, emb_dim=2, batch_norm=True)
    OptFusion().mutate_model(space)
    space.double()
    nodes = nodes_of(space)
    weights = [p for name, p in space.named_parameters() if not name.endswith((".alpha", ".beta"))]
    step = optimiser(weights, **options)
    ids, labels = torch.stack([torch.arange(12) % n for n in (5, 4, 3)], dim=1), torch.arange(12).double() % 2
    with mixing_by(way):
        for number in range(40):
            if number >= 20 and number % 4 == 0:
                close(nodes, ("cross0", "cross1", "deep1", "cross2", "deep2")[(number - 20) // 4])
            step.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(space(ids), labels).backward()
            assert all(p.grad is not None for p in space.parameters())
            step.step()
    return {name: p.detach() for name, p in space.named_parameters()}


def close(nodes: Mapping[str, OptFusionNode], block: str) -> None:
    """Leave one block dead, and no other."""
    for node in nodes.values():
        with torch.no_grad():
            node.alpha.copy_(torch.tensor([0.5 if source != block else -0.5 for source in node.sources]))
    assert dead_blocks(nodes) == {block}


@pytest.mark.parametrize(
    ("optimiser", "options"),
    [
        (torch.optim.Adam, {"lr": 0.01, "weight_decay": 1e-2}),
        (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-2}),
    ],
    ids=["adam", "momentum"],
)
def test_optimisers_with_memory_step_dead_blocks_alike(
    optimiser: type[torch.optim.Optimizer], options: dict[str, Any]
) -> None:
    first, *others = [stepped(way, optimiser, **options) for way in WAYS]
    for other in others:
        for name, value in first.items():
            torch.testing.assert_close(other[name], value, rtol=0, atol=1e-9, msg=name)


def test_ways_are_forced_for_a_block_of_code_only() -> None:
    usual = dict(FAST_MIXTURES)
    with mixing_by("plain"):
        assert set(FAST_MIXTURES.values()) == {None}
    assert usual == FAST_MIXTURES == {"cpu": MIXTURES["fused"], "cuda": MIXTURES["stacked"]}
