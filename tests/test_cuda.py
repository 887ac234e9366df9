"""What runs on a GPU gives what the CPU gives; skipped where there is none."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.measures import latency_ms
from nas_fusion.nn import Fields
from nas_fusion.optfusion import OptFusion, OptFusionNode
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, compare
from nas_fusion.training import TouchedRowsAdam, TrainConfig, fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")

FIELDS, ROWS = (50, 30, 70, 40), 257


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache"))


def supernet(product: str) -> FusionSpace:
    torch.manual_seed(0)
    space = FusionSpace(field_sizes=list(FIELDS), levels=3, emb_dim=3, product=product)  # type: ignore[arg-type]
    OptFusion().mutate_model(space)
    space.double().network.embedding.table.weight.data.normal_()
    for node in (m for m in space.modules() if isinstance(m, OptFusionNode)):
        node.alpha.data.normal_(mean=0.5)
    return space


def assert_same_on_both(model: nn.Module) -> None:
    """Logits and gradients in float64."""
    ids = torch.stack([torch.randint(size, (ROWS,)) for size in FIELDS], dim=1).int()
    labels = torch.randint(2, (ROWS,)).double()
    other = copy.deepcopy(model).cuda()
    logits, theirs = model(ids), other(ids.cuda())
    binary_cross_entropy_with_logits(logits, labels).backward()
    binary_cross_entropy_with_logits(theirs, labels.cuda()).backward()
    torch.testing.assert_close(theirs.cpu(), logits, rtol=1e-9, atol=1e-9)
    compared = 0
    for (name, parameter), twin in zip(model.named_parameters(), other.parameters(), strict=True):
        ours = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        found = torch.zeros_like(parameter) if twin.grad is None else twin.grad.cpu()
        torch.testing.assert_close(found, ours, rtol=1e-9, atol=1e-9, msg=f"gradient of {name}")
        compared += bool(ours.norm() > 0)
    assert compared >= 2  # a product in the way may leave the others without a gradient


@pytest.mark.parametrize("product", ["zero", "open"])
def test_the_supernet(product: str) -> None:
    assert_same_on_both(supernet(product))


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_derived_models(mode: str) -> None:
    space = supernet("zero")
    mixture = {m.block: m.mixture() for m in space.modules() if isinstance(m, OptFusionNode) and m.beta is not None}
    rng = np.random.default_rng(1)
    for _ in range(4):
        design = space.designs.sample(rng)
        model = space.derive(design, mode="soft", mixture=mixture) if mode == "soft" else space.derive(design)
        assert_same_on_both(model)


def test_touched_rows_adam() -> None:
    def trained(device: str) -> torch.Tensor:
        torch.manual_seed(0)
        table = nn.Embedding(40, 5, sparse=True, dtype=torch.float64).to(device)
        optimiser = TouchedRowsAdam(table.parameters(), lr=0.05, weight_decay=0.1)
        generator = torch.Generator().manual_seed(1)
        for _ in range(6):
            rows = torch.randint(40, (30,), generator=generator).to(device)
            optimiser.zero_grad()
            table(rows).sin().sum().backward()
            optimiser.step()
        return table.weight.detach().cpu()

    torch.testing.assert_close(trained("cuda"), trained("cpu"), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("optimizer", ["adam", "touched-rows-adam"])
def test_a_training_gives_what_the_cpu_gives_and_the_same_again(dataset: EncodedDataset, optimizer: str) -> None:
    data = dataset.search_view()
    config = TrainConfig(
        learning_rate=0.01, batch_size=256, max_epochs=2, precision="64", embedding_optimizer=optimizer
    )

    def trained(device: str) -> tuple[float, list[torch.Tensor]]:
        torch.manual_seed(3)
        space = FusionSpace(field_sizes=[f.size for f in data.schema.fields], levels=2, emb_dim=3)
        model = space.derive(space.designs.sample(np.random.default_rng(0))).double()
        found = fit(model, data, replace(config, device=device))
        return found.best_valid_auc, [p.detach().cpu() for p in model.parameters()]

    (auc, weights), (again, same), (on_cpu, theirs) = trained("cuda"), trained("cuda"), trained("cpu")
    assert auc == again
    assert all(torch.equal(a, b) for a, b in zip(weights, same, strict=True))
    assert auc == pytest.approx(on_cpu, abs=1e-6)
    for a, b in zip(weights, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_latency_is_measured() -> None:
    space = FusionSpace(field_sizes=list(FIELDS), levels=2, emb_dim=3)
    assert 0 < latency_ms(space, Fields.of(FIELDS, emb_dim=3), 64, TrainConfig(device="cuda")) < 1000


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_every_strategy_is_compared_on_a_gpu_and_gives_the_same_again(
    dataset: EncodedDataset, tmp_path: Path, precision: str
) -> None:
    settings = ComparisonSettings(
        source="synthetic:3000",
        data=DataOptions(),
        strategies=tuple(name for name, entry in STRATEGIES if entry.in_all),
        seeds=(0,),
        budget="1x",
        candidates=2,
        model=ModelSettings(levels=2, emb_dim=4),
        recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=2),
        device="cuda",
        precision=precision,
    )
    first, second = (compare(settings, dataset, tmp_path / name, command="nasfusion compare") for name in "ab")
    assert {r.strategy for r in first.records} >= set(settings.strategies)
    differing = [
        (a.strategy, a.valid_auc, b.valid_auc)
        for a, b in zip(first.records, second.records, strict=True)
        if (a.valid_auc, a.test_auc) != (b.valid_auc, b.test_auc)
    ]
    assert not differing
