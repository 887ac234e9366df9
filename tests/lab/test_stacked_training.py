"""Designs trained side by side get what each gets alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.lab.stacked_training import aucs_of, train_stack
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import TrainConfig, evaluate_auc, fit, seeded

BOTH = [("embedding", "cross0"), ("embedding", "deep1"), ("cross0", "output"), ("deep1", "output")]
DESIGNS = [
    FusionDesign.build(1, connections, "concat")
    for connections in (BOTH, BOTH[1:2] + BOTH[3:], [*BOTH, ("embedding", "output"), ("cross0", "deep1")])
]
CONFIG = TrainConfig(
    batch_size=64, max_epochs=3, patience=0, averaging=1.0, seed=3, device="cpu", precision="64", learning_rate=0.02
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:800", cache=tmp_path_factory.mktemp("cache"))


def test_the_figures_are_those_of_trainings_alone(dataset: EncodedDataset) -> None:
    space = FusionSpace.for_schema(dataset.schema, levels=1, emb_dim=2)
    told: list[int] = []
    valid, test = train_stack(space, DESIGNS, dataset, CONFIG, told.append)
    assert told == [1, 2, 3]
    assert valid.shape == test.shape == (3, 3)
    for place, design in enumerate(DESIGNS):
        with seeded(CONFIG.seed):
            model = space.derive(design, weights=False)
        alone = fit(model, dataset.search_view(), CONFIG)
        np.testing.assert_allclose(valid[place], [record.valid_auc for record in alone.history], rtol=1e-6)
        best = alone.best_epoch - 1
        assert test[place, best] == pytest.approx(evaluate_auc(model, dataset.test, CONFIG), rel=1e-6)


def test_without_averaging_too(dataset: EncodedDataset) -> None:
    space = FusionSpace.for_schema(dataset.schema, levels=1, emb_dim=2)
    config = replace(CONFIG, averaging=0.0, max_epochs=1)
    valid, _ = train_stack(space, DESIGNS[:1], dataset, config)
    with seeded(config.seed):
        model = space.derive(DESIGNS[0], weights=False)
    assert valid[0, 0] == pytest.approx(fit(model, dataset.search_view(), config).best_valid_auc, rel=1e-6)


def test_aucs_with_ties_and_without_figures() -> None:
    logits = torch.tensor([[0.1, 0.4, 0.4, -1.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0], [0.0, float("nan"), 1.0, 2.0, 3.0]])
    clicked = torch.tensor([True, False, True, False, True])
    found = aucs_of(logits, clicked)
    assert found[0].item() == pytest.approx(roc_auc_score(clicked, logits[0]))
    assert found[1].item() == 0.5
    assert found[2].isnan()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gradient_clip": 1.0}, "gradient_clip must be 0"),
        ({"precision": "bf16"}, "precision must be 32 or 64"),
        ({"embedding_optimizer": "touched-rows-adam"}, "embedding_optimizer must be adam"),
    ],
)
def test_a_recipe_that_cannot_be_stacked_is_refused(
    dataset: EncodedDataset, changed: dict[str, object], message: str
) -> None:
    space = FusionSpace.for_schema(dataset.schema, levels=1, emb_dim=2)
    with pytest.raises(OptionError, match=message):
        train_stack(space, DESIGNS, dataset, replace(CONFIG, **changed))  # type: ignore[arg-type]


def test_a_log_with_weights_is_refused(tmp_path: Path) -> None:
    from nas_fusion.data import DataOptions

    log = tmp_path / "log.csv"
    log.write_text("click,site,w\n" + "\n".join(f"{n % 2},s{n % 5},{1 + n % 3}" for n in range(200)))
    weighted = prepare(str(log), DataOptions(label="click", weight="w"), cache=tmp_path / "cache")
    space = FusionSpace.for_schema(weighted.schema, levels=1, emb_dim=2)
    with pytest.raises(OptionError, match="rows of a table's log count alike"):
        train_stack(space, DESIGNS, weighted, CONFIG)
