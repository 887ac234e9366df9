"""Importance of connections against models that are built again without the connection."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas_fusion.data import BatchLoader, SearchData
from nas_fusion.design import FusionDesign, candidate_connections, fused_blocks
from nas_fusion.errors import OptionError
from nas_fusion.measures import connection_importance, without_connection
from nas_fusion.measures.importance import spaced
from nas_fusion.nn import FusionNetwork, HardFusion, PassThrough, SoftFusion
from nas_fusion.optfusion import OptFusion
from nas_fusion.testing import tiny_data, tiny_space
from nas_fusion.training import TrainConfig, evaluate, fit

LEVELS = 2
CONFIG = TrainConfig(learning_rate=0.02, batch_size=256, max_epochs=2, device="cpu")
EVERYTHING = candidate_connections(LEVELS)
FEW = tuple((s, t) for s, t in EVERYTHING if t == "cross0" or (s in ("embedding", "deep1") and t != "cross1"))
"""A product of all blocks is as good as zero; of these it is not."""

MIXED = dict(zip(fused_blocks(LEVELS), ["attention", "product", "concat", "add", "product"], strict=True))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


def hard_model(data: SearchData, operations: dict[str, str] | str) -> FusionNetwork:
    torch.manual_seed(0)
    connections = FEW if operations == "product" else EVERYTHING
    model = tiny_space(data).derive(FusionDesign.build(LEVELS, connections, operations), weights=False)
    fit(model, data, CONFIG)
    return model


def soft_model(data: SearchData) -> FusionNetwork:
    torch.manual_seed(0)
    space, strategy = tiny_space(data), OptFusion()
    strategy.mutate_model(space)
    mixture = {block: {"add": 0.4, "product": 0.3, "concat": 0.2, "attention": 0.1} for block in fused_blocks(LEVELS)}
    model = space.derive(FusionDesign.build(LEVELS, EVERYTHING, "add"), mode="soft", mixture=mixture)
    fit(model, data, CONFIG)
    return model


def built_again(model: FusionNetwork, source: str, target: str) -> FusionNetwork:
    """The same network without a connection, made from copies of its parts."""
    nodes: dict[str, nn.Module] = {}
    sources = {block: list(model.sources[block]) for block in model.nodes}
    for block, node in model.nodes.items():
        kept = [j for j, s in enumerate(model.sources[block]) if (s, block) != (source, target)]
        if block != target or isinstance(node, PassThrough):
            nodes[block] = copy.deepcopy(node)
        elif isinstance(node, HardFusion):
            nodes[block] = HardFusion(node.operation.keep(kept))
        else:
            assert isinstance(node, SoftFusion)
            operations = {name: operation.keep(kept) for name, operation in node.operations.all().items()}
            nodes[block] = SoftFusion(operations, node.probabilities)
        sources[block] = [model.sources[block][j] for j in kept]
    parts = copy.deepcopy((model.embedding, dict(model.blocks), model.head))
    return FusionNetwork(parts[0], nodes, sources, parts[1], parts[2]).eval()


@pytest.mark.parametrize("kind", ["mixed", "add", "product", "concat", "attention", "soft"])
def test_it_is_the_auc_that_a_model_built_without_the_connection_loses(kind: str, data: SearchData) -> None:
    model = soft_model(data) if kind == "soft" else hard_model(data, MIXED if kind == "mixed" else kind)
    before = copy.deepcopy(model.state_dict())
    found = connection_importance(model, data.valid, CONFIG)
    connections = [(s, t) for t, sources in model.sources.items() for s in sources]
    assert set(found) == {f"{s} -> {t}" for s, t in connections}
    assert kind == "product" or set(connections) == set(EVERYTHING)
    whole = evaluate(model, data.valid, CONFIG).auc
    for source, target in connections:
        without = evaluate(built_again(model, source, target), data.valid, CONFIG).auc
        assert found[f"{source} -> {target}"] == pytest.approx(whole - without, abs=1e-6), (source, target)
    assert any(abs(loss) > 1e-3 for loss in found.values())
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("operation", ["add", "concat", "attention"])
def test_a_closed_input_is_a_zero_input(operation: str, data: SearchData) -> None:
    model = hard_model(data, operation).eval()
    batch = next(iter(BatchLoader(data.valid, 64)))
    with without_connection(model, ("embedding", "deep1")):
        left_out = model(batch.ids, batch.values)
    node = model.nodes["deep1"]
    place = model.sources["deep1"].index("embedding")

    def with_zero(module: nn.Module, arguments: tuple[list[torch.Tensor], torch.Tensor]) -> object:
        inputs, embedding = list(arguments[0]), arguments[1]
        inputs[place] = torch.zeros_like(embedding)
        return inputs, embedding

    handle = node.register_forward_pre_hook(with_zero)
    torch.testing.assert_close(model(batch.ids, batch.values), left_out)
    handle.remove()


def test_the_only_connection_leaves_a_constant(data: SearchData) -> None:
    torch.manual_seed(0)
    chain = [("embedding", "deep1"), ("deep1", "output")]
    model = tiny_space(data).derive(FusionDesign.build(LEVELS, chain, "concat"), weights=False)
    fit(model, data, CONFIG)
    whole = evaluate(model, data.valid, CONFIG).auc
    found = connection_importance(model, data.valid, CONFIG)
    assert found == {"embedding -> deep1": pytest.approx(whole - 0.5), "deep1 -> output": pytest.approx(whole - 0.5)}


def test_fewer_rows_are_evenly_spaced(data: SearchData) -> None:
    some = spaced(data.valid, 50)
    chosen = np.linspace(0, len(data.valid) - 1, 50).round().astype(int)
    assert len(some) == 50
    assert (some.ids == data.valid.ids[chosen]).all()
    assert some.positives == data.valid.labels[chosen].sum()
    assert spaced(data.valid, len(data.valid)) is data.valid
    model = hard_model(data, "add")
    found = connection_importance(model, data.valid, CONFIG, rows=50)
    whole = evaluate(model, some, CONFIG).auc
    with without_connection(model, ("embedding", "output")):
        assert found["embedding -> output"] == whole - evaluate(model, some, CONFIG).auc


def test_what_makes_no_sense_is_refused(data: SearchData, tmp_path: Path) -> None:
    model = hard_model(data, "add")
    with pytest.raises(OptionError, match="deep2 -> cross1"), without_connection(model, ("deep2", "cross1")):
        pytest.fail("there is no such connection")
    with pytest.raises(OptionError, match="rows"):
        connection_importance(model, data.valid, CONFIG, rows=0)
    supernet = tiny_space(data)
    OptFusion().mutate_model(supernet)
    with pytest.raises(OptionError, match="a derived one"):
        connection_importance(supernet.network, data.valid, CONFIG)
