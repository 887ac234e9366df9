"""Replayed searches: the same as searches that train, and what is counted of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.lab import DesignTable, TableTrainings, regret_curve, replay
from nas_fusion.lab.regret_curves import best_first
from nas_fusion.lab.regret_figure import regret_figure
from nas_fusion.lab.replay import Replayed
from nas_fusion.lab.stacked_training import train_stack
from nas_fusion.search import Budget, KnownTrainings, SearchTask, run_search
from nas_fusion.search_spaces import DesignSet, FusionSpace, design_code, different_designs
from nas_fusion.strategy import STRATEGIES
from nas_fusion.training import TrainConfig
from tests.lab.made_up_table import FACTS, write_made_up

OPERATIONS = ("add", "concat")
SPACE = DesignSet(1, OPERATIONS)
ROWS, EPOCHS, CANDIDATES = 640, 2, 4


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> DesignTable:
    """A whole small space: the more connections, the better; the validation AUC tells the quality without noise."""
    codes = sorted(design_code(design, SPACE) for design in different_designs(SPACE))
    quality = 0.6 + 0.01 * np.array([bin(code & 511).count("1") for code in codes])
    figures = np.tile(quality[:, None, None], (1, 2, EPOCHS))
    figures[:, :, 0] -= 0.05
    facts = {**FACTS, "operations": OPERATIONS}
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    return DesignTable.open(write_made_up(path, codes, figures, figures, facts=facts))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:800", cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "candidates", "passes", "epochs"),
    [
        *((name, CANDIDATES, CANDIDATES * EPOCHS, EPOCHS) for name in ("random", "evolution", "tpe")),
        # Three candidates of an epoch, the best of which has two more.
        *((name, 3, 5, 3) for name in ("asha", "evolution-asha", "tpe-asha")),
    ],
)
def test_a_replayed_search_is_the_search(
    name: str, candidates: int, passes: int, epochs: int, dataset: EncodedDataset, tmp_path: Path
) -> None:
    config = TrainConfig(batch_size=64, device="cpu", seed=1, learning_rate=0.02, averaging=1.0)
    task = SearchTask(
        data=dataset.search_view(),
        make_space=partial(FusionSpace.for_schema, dataset.schema, levels=1, emb_dim=2),
        config=config,
        budget=Budget(passes * ROWS, candidates=candidates),
        prefer="best",  # a table has no predictions, so what is tied is not the same
    )
    trained = run_search(STRATEGIES.get(name), task)
    # The table of the designs that it tried, which a strategy that meets the same figures tries again.
    assert isinstance(trained.design, FusionDesign)
    tried = different_designs([trained.design, *trained.alternatives])
    space = task.make_space()
    codes = sorted(design_code(design, space.designs) for design in tried)
    recipe = replace(config, max_epochs=epochs, patience=0)
    by_code = {design_code(design, space.designs): train_stack(space, [design], dataset, recipe) for design in tried}
    valid, test = (np.stack([by_code[code][place] for code in codes]) for place in (0, 1))
    known = DesignTable.open(write_made_up(tmp_path / "t.parquet", codes, valid, test))
    engine = TableTrainings(known, ROWS)
    looked_up = run_search(STRATEGIES.get(name), replace(task, engine=engine))
    assert looked_up.design == trained.design
    assert looked_up.alternatives == trained.alternatives
    assert looked_up.valid_auc == pytest.approx(trained.valid_auc, abs=1e-4)
    assert looked_up.samples == trained.samples == passes * ROWS
    assert [point.samples for point in looked_up.trace] == [point.samples for point in trained.trace]
    np.testing.assert_allclose(
        [point.valid_auc for point in looked_up.trace], [point.valid_auc for point in trained.trace], atol=1e-4
    )


@pytest.mark.parametrize("name", ["random", "evolution", "tpe", "asha", "evolution-asha", "tpe-asha"])
def test_regret_is_that_of_the_best_candidate_so_far(name: str, table: DesignTable) -> None:
    found = replay(STRATEGIES.get(name), table, range(3), candidates=6, epochs=EPOCHS)
    assert found.regret.shape == (3, 6)
    assert (np.diff(found.regret, axis=1) <= 1e-12).all()  # figures without noise: it never gets worse
    assert (found.final >= -1e-12).all()
    again = replay(STRATEGIES.get(name), table, [1], candidates=6, epochs=EPOCHS)
    np.testing.assert_array_equal(found.regret[1], again.regret[0])


def test_the_cheapest_of_equals_is_handed_on(table: DesignTable) -> None:
    """Figures that differ by less than any verdict would tell: only the costs do."""
    level = replace(table, valid_auc=0.7 + 1e-3 * (table.valid_auc - table.valid_auc.min()))
    cheap, best = (
        replay(STRATEGIES.get("random"), level, range(4), candidates=8, epochs=EPOCHS, prefer=prefer)
        for prefer in ("cheap", "best")
    )
    assert (cheap.multiply_adds <= best.multiply_adds).all()
    assert cheap.multiply_adds.mean() < best.multiply_adds.mean()


def test_trainings_are_counted_by_epochs_and_seeds(table: DesignTable) -> None:
    engine = TableTrainings(table, rows=100)
    assert isinstance(engine, KnownTrainings)
    design = table.design(5)
    one = engine.history(design, TrainConfig(max_samples=100, seed=3))
    two = engine.history(design, TrainConfig(max_samples=200, seed=3))
    assert [record.samples for record in two] == [100, 200]
    assert [record.seconds for record in two] == [1.0, 2.0]
    assert one[0].valid_auc == two[0].valid_auc == pytest.approx(two[1].valid_auc - 0.05, abs=1e-6)
    assert engine.tried[-1] == (5, two[1].valid_auc, 300)
    rest = engine.history(design, TrainConfig(max_samples=200, seed=3), seen=100)
    assert rest == two[1:]
    assert engine.tried[-1] == (5, two[1].valid_auc, 400)


def test_a_design_without_figures_has_failed_and_is_worth_a_constant(table: DesignTable) -> None:
    valid = table.valid_auc.copy()
    valid[::2] = np.nan
    holes = replace(table, valid_auc=valid, test_auc=np.where(np.isnan(valid), np.nan, 0.7))
    found = replay(STRATEGIES.get("random"), holes, range(8), candidates=8, epochs=1)
    # Before the first candidate that could be trained there is nothing better than a constant.
    assert set(np.round(found.regret.ravel(), 6)) == {0.0, 0.2}
    assert set(np.round(found.final, 6)) == {0.0}


def test_what_cannot_be_replayed(table: DesignTable) -> None:
    with pytest.raises(OptionError, match="multi-trial strategies over the fusion space, got 'darts'"):
        replay(STRATEGIES.get("darts"), table, [0], candidates=2, epochs=1)
    with pytest.raises(OptionError, match="epochs must be from 1 to 2"):
        replay(STRATEGIES.get("random"), table, [0], candidates=2, epochs=3)
    part = replace(table, facts={**table.facts, "part": 5})
    with pytest.raises(OptionError, match="one of a whole space"):
        replay(STRATEGIES.get("random"), part, [0], candidates=2, epochs=1)


def test_curves_have_intervals_of_the_mean(table: DesignTable) -> None:
    regret = np.array([[0.4, 0.0], [0.4, 0.1], [0.4, 0.2], [0.4, 0.1]])
    curve = regret_curve(Replayed("random", (0, 1, 2, 3), regret, np.array([10.0, 20.0, 30.0, 40.0])), table)
    np.testing.assert_allclose(curve.mean, [0.4, 0.1])
    assert curve.low[0] == curve.high[0] == pytest.approx(0.4)
    # The mean of four draws out of 0, .1, .2, .1: half of a hundredth of all draws lie outside of these.
    assert curve.final.low == pytest.approx(0.025, abs=0.026)
    assert curve.final.high == pytest.approx(0.175, abs=0.026)
    assert curve.multiply_adds == 25
    assert curve.within_noise == 0.25  # two seeds without any noise
    worse = curve._replace(strategy="worse", mean=curve.mean + 0.1)
    assert [one.strategy for one in best_first([worse, curve])] == ["random", "worse"]
    figure = regret_figure([curve, worse], "made-up")
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert [line.name for line in lines] == ["random", "worse"]
    np.testing.assert_allclose(lines[0].y, [0.4, 0.1])
