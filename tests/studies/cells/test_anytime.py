"""Test AUCs of incumbents: of the kept weights, without any influence on the search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from nas_fusion.data import BatchLoader, DataOptions, EncodedDataset, SearchData, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.records import CellRecord, TracePoint
from nas_fusion.search import run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, compare
from nas_fusion.studies.cells.anytime import (
    SavedIncumbents,
    figures_of,
    incumbents_folder,
    skeleton,
    with_test_figures,
    without_test_figures,
)
from nas_fusion.system.stopwatch import Stopwatch
from nas_fusion.testing import tiny_data, tiny_space, tiny_task
from nas_fusion.training import TrainConfig, evaluate

pytestmark = pytest.mark.slow

CONFIG = TrainConfig(batch_size=256, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


def incumbents_of(trace: Sequence[TracePoint]) -> list[TracePoint]:
    """The points that are better than all before."""
    return [p for i, p in enumerate(trace) if p.valid_auc > max([q.valid_auc for q in trace[:i]], default=-math.inf)]


# Keeping -------------------------------------------------------------------------------------------------------------


def model_of(data: SearchData, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    space = tiny_space(data)
    return space.derive(FusionDesign.build(2, [("embedding", "deep1"), ("deep1", "output")], "concat"), weights=False)


def test_what_is_measured_is_the_kept_weights(data: SearchData, tmp_path: Path) -> None:
    kept = SavedIncumbents(tmp_path)
    expected = {}
    for number, auc in enumerate([0.6, 0.5, 0.7, 0.7, 0.8]):
        model = model_of(data, number)
        kept.keep(model, TracePoint(1.0, 10 * number, auc), number)
        if number in (0, 2, 4):
            expected[number] = evaluate(model, data.valid, CONFIG).auc
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()  # what becomes of the model does not matter
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.pt", "2.pt", "3.pt"]
    assert kept.measure(data.valid, CONFIG) == expected
    assert len(set(expected.values())) == 3
    assert list(tmp_path.iterdir()) == []
    assert kept.measure(data.valid, CONFIG) == expected, "nothing new"


def test_a_candidate_that_fails_is_given_up(data: SearchData, tmp_path: Path) -> None:
    kept = SavedIncumbents(tmp_path)
    first, second = TracePoint(1.0, 1, 0.6), TracePoint(3.0, 3, 0.7)
    kept.keep(model_of(data, 0), first, 0)

    def fail() -> None:
        with kept.attempt():
            kept.keep(model_of(data, 1), TracePoint(2.0, 2, 0.9), 1)
            raise TrainingError("the loss is nan")

    with pytest.raises(TrainingError, match="nan"):
        fail()
    with kept.attempt():
        kept.keep(model_of(data, 2), second, 1)
    assert list(kept.measure(data.valid, CONFIG)) == [0, 1]


def test_a_skeleton_has_no_weights_and_takes_them(data: SearchData) -> None:
    model = model_of(data, 0).eval()
    bones = skeleton(model)
    assert all(parameter.is_meta for parameter in bones.parameters())
    bones.load_state_dict(model.state_dict(), assign=True)
    batch = next(iter(BatchLoader(data.valid, 8)))
    assert torch.equal(bones(batch.ids, batch.values), model(batch.ids, batch.values))


def test_a_model_without_finite_predictions_has_no_figure(data: SearchData, tmp_path: Path) -> None:
    kept = SavedIncumbents(tmp_path)
    model = model_of(data, 0)
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    kept.keep(model, TracePoint(1.0, 1, 0.6), 0)
    assert kept.measure(data.valid, CONFIG) == {}


def test_figures_find_their_points_also_among_equal_ones() -> None:
    trace = [TracePoint(1.0, 5, 0.5), TracePoint(1.0, 6, 0.5), TracePoint(1.0, 7, 0.6), TracePoint(1.0, 7, 0.6)]
    found = with_test_figures(trace, {0: 0.51, 2: 0.59})
    assert [p.test_auc for p in found] == [0.51, None, 0.59, None]
    assert without_test_figures(found) == tuple(trace)
    assert figures_of(found) == {0: 0.51, 2: 0.59}


def test_candidates_that_take_no_time_and_are_equally_good_keep_their_own_figures(
    data: SearchData, tmp_path: Path
) -> None:
    """A clock that stands still, as a coarse one does, and a second candidate that is the first one again."""
    task = replace(tiny_task(data, levels=1), watch=Stopwatch(clock=lambda: 0.0))
    kept = SavedIncumbents(tmp_path)
    one = TracePoint(0.0, 5, 0.6)
    for place in range(2):
        replace(task, incumbents=kept).keep(model_of(data, 0), one, place)
    found = with_test_figures([one, one], kept.measure(data.valid, task.config))
    assert [p.test_auc is None for p in found] == [False, True]


def test_folders_of_dead_processes_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".incumbents-darts-0.0123456789abcdef.tmp").mkdir()
    with incumbents_folder(tmp_path, "random-0") as theirs, incumbents_folder(tmp_path, "random-1") as mine:
        assert sorted(tmp_path.iterdir()) == sorted([theirs, mine]), "the living one's stays"
    assert list(tmp_path.iterdir()) == []


# Searches ------------------------------------------------------------------------------------------------------------


SEARCHES = [
    "random",
    "evolution",
    "optfusion-hard",
    "optfusion-refined",
    "darts",
    "gumbel-darts",
    "random-oneshot",
    "autoctr",
]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_the_same_with_and_without_keeping(name: str, data: SearchData, tmp_path: Path) -> None:
    task = tiny_task(data, levels=1)
    kept = SavedIncumbents(tmp_path)
    plain = run_search(STRATEGIES.get(name), task)
    keeping = run_search(STRATEGIES.get(name), replace(task, incumbents=kept))
    for outcome in (plain, keeping):
        assert [(p.samples, p.valid_auc) for p in outcome.trace] == [(p.samples, p.valid_auc) for p in plain.trace]
        assert (outcome.design, outcome.valid_auc, outcome.samples) == (plain.design, plain.valid_auc, plain.samples)
        assert outcome.details == plain.details
    if plain.soft is not None:
        assert keeping.soft is not None
        assert keeping.soft.mixture == plain.soft.mixture
        assert all(torch.equal(keeping.soft.weights[n], w) for n, w in plain.soft.weights.items())
    expected = incumbents_of(keeping.trace)
    assert 1 <= len(list(tmp_path.iterdir())) == len(expected) < 10
    measured = kept.measure(data.valid, task.config)
    assert [keeping.trace[place] for place in measured] == expected
    if name != "gumbel-darts":  # whose supernet draws noise
        # On the rows on which the search measured them, the kept models have the AUC that it saw.
        assert list(measured.values()) == pytest.approx([p.valid_auc for p in expected], abs=1e-12)


# Comparisons ---------------------------------------------------------------------------------------------------------

SETTINGS = ComparisonSettings(
    source="synthetic:2000",
    data=DataOptions(),
    strategies=("random", "optfusion-hard", "optfusion-soft", "stacked"),
    seeds=(0,),
    budget="2x",
    candidates=3,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=2),
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:2000", cache=tmp_path_factory.mktemp("cache"))


def test_cells_have_anytime_figures_importance_and_accounts(dataset: EncodedDataset, tmp_path: Path) -> None:
    result = compare(SETTINGS, dataset, tmp_path / "study")
    cells = {record.strategy: record for record in result.records}
    for record in (cells["random"], cells["optfusion-hard"]):
        have = [p for p in record.trace if p.test_auc is not None]
        assert [(p.seconds, p.samples) for p in have] == [(p.seconds, p.samples) for p in incumbents_of(record.trace)]
        assert all(0 < (p.test_auc or 0) < 1 for p in have)
        assert CellRecord.from_json(record.to_json()) == record
    assert cells["optfusion-soft"].trace == cells["optfusion-hard"].trace
    assert cells["stacked"].trace == ()
    assert not list(result.folder.path.glob(".incumbents*"))

    for record in result.records:
        assert isinstance(record.design, FusionDesign)
        live = record.design.live_blocks()
        assert set(record.details["importance"]) == {f"{s} -> {t}" for s, t in record.design.connections if t in live}
    hard = cells["optfusion-hard"]
    assert hard.derive_samples == len(dataset.valid)
    assert hard.search_samples == hard.trace[-1].samples
    assert hard.details["derived_valid_auc"] < 1
    assert (cells["random"].derive_samples, cells["random"].tuning_samples) == (0, 0)

    again = compare(replace(SETTINGS, anytime_test=False, importance=False), dataset, tmp_path / "without")
    for record, other in zip(result.records, again.records, strict=True):
        assert other.design == record.design
        assert (other.valid_auc, other.test_auc) == (record.valid_auc, record.test_auc)
        assert all(p.test_auc is None for p in other.trace)
        assert "importance" not in other.details
        weights = [
            load_file(c.folder.cell(record.strategy, 0) / "model" / "weights.safetensors") for c in (result, again)
        ]
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_comparison_by_the_clock_keeps_its_finished_cells(
    dataset: EncodedDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(SETTINGS, strategies=("random", "stacked"), budget="0.3s")
    first = compare(settings, dataset, tmp_path / "study")
    assert "0.3 seconds of searching, per strategy and seed (by the clock" in first.info.budget
    assert any("finished cells are kept" in message for message in caplog.messages)
    lost = first.folder.cell("stacked", 0) / "cell.json"
    lost.unlink()
    again = compare(settings, dataset, tmp_path / "study")
    assert again.records[0] == first.records[0], "a finished cell was run again"
    assert again.records[1].test_auc == first.records[1].test_auc
