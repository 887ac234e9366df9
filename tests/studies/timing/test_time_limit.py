"""A comparison within a time limit: what fits is as without a limit, what does not is named and can be made up for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.report import CLOCK
from nas_fusion.settings import ComparisonSettings, DataOptions, ModelSettings, RecipeSettings
from nas_fusion.studies import assemble, compare
from nas_fusion.studies.timing.forecast import EPOCHS, Forecast
from nas_fusion.studies.timing.foresight import foresee, foresight_words, with_quick_settings
from nas_fusion.studies.timing.pace import Pace, SearchPace
from nas_fusion.studies.timing.paces import Paces
from nas_fusion.studies.timing.time_keeper import ENDED
from nas_fusion.system.deadline import TimeIsUp

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:3000",
    data=DataOptions(),
    strategies=("random", "optfusion-hard", "stacked", "parallel"),
    seeds=(0, 1),
    budget="1x",
    candidates=2,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(choice="defaults", learning_rate=0.01, retrain_epochs=2),
    device="cpu",
)
LIMIT = 10_000.0


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache"))


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "results.csv").drop(columns=list(CLOCK))


def test_what_does_not_fit_is_left_out_and_the_rest_is_as_without_a_limit(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compare(SETTINGS, dataset, tmp_path / "whole")
    slow = Paces(assemble(SETTINGS, dataset), Pace(0.0, 0.0, 0.0), searches={"optfusion-hard": SearchPace(1e6)})
    monkeypatch.setattr("nas_fusion.studies.comparing.foresight", lambda *_: Forecast(slow))
    limited = compare(SETTINGS, dataset, tmp_path / "limited", time_limit=LIMIT)

    assert limited.failures == ()
    assert [(cell.strategy, cell.seed) for cell in limited.left_out] == [("optfusion-hard", 0), ("optfusion-hard", 1)]
    assert "time limit of 2.8 h" in limited.left_out[0].reason
    expected = table_of(tmp_path / "whole").query("strategy != 'optfusion-hard'").reset_index(drop=True)
    pd.testing.assert_frame_equal(table_of(tmp_path / "limited"), expected)
    page = (tmp_path / "limited" / "report.md").read_text()
    assert "Left out, since there was no time for it: optfusion-hard, seeds 0, 1." in page

    again = compare(SETTINGS, dataset, tmp_path / "limited")
    assert again.left_out == again.failures == ()
    assert len(again.records) == len(whole.records)
    pd.testing.assert_frame_equal(table_of(tmp_path / "limited"), table_of(tmp_path / "whole"))


def test_a_cell_that_runs_when_the_time_is_up_counts_as_not_done(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SETTINGS, seeds=(0,))
    batches = iter(range(1_000_000))

    def up(*_: object) -> None:
        if next(batches) == 250:
            raise TimeIsUp

    monkeypatch.setattr("nas_fusion.training.watching.sample_meter.check_deadline", up)
    limited = compare(settings, dataset, tmp_path / "study", time_limit=LIMIT)
    assert limited.records
    assert limited.left_out
    assert {cell.reason for cell in limited.left_out} == {ENDED}
    assert len(limited.records) + len(limited.left_out) == len(settings.strategies)


def test_looking_ahead_changes_no_result_and_tells_what_is_to_be_done(dataset: EncodedDataset, tmp_path: Path) -> None:
    settings = replace(SETTINGS, strategies=("random", "parallel"), seeds=(0,))
    said: list[str] = []
    compare(settings, dataset, tmp_path / "told", say=said.append)
    compare(settings, dataset, tmp_path / "untold")
    pd.testing.assert_frame_equal(table_of(tmp_path / "told"), table_of(tmp_path / "untold"))
    assert said[0].startswith("2 cells (2 strategies, 1 seed): about ")
    assert "guess" in said[1]


def test_a_forecast_grows_with_seeds_and_is_shared_by_processes(dataset: EncodedDataset) -> None:
    forecast = foresee(assemble(SETTINGS, dataset))
    more = replace(SETTINGS, seeds=(0, 1, 2, 3))
    large = replace(more, budget="20x")
    twice = Forecast(replace(forecast.paces, assembly=assemble(more, dataset)), forecast.epochs)
    assert twice.whole() == pytest.approx(2 * forecast.whole())
    assert forecast.whole(2) == pytest.approx(forecast.whole() / 2)
    costly = Forecast(replace(forecast.paces, assembly=assemble(large, dataset)), forecast.epochs)
    assert costly.whole() > twice.whole()
    assert with_quick_settings(costly).whole() == with_quick_settings(twice).whole() < twice.whole() / 2
    assert foresight_words(twice, finished=4)[0].startswith("16 cells (4 strategies, 4 seeds), 4 of them finished: ")


def test_without_time_to_find_out_the_number_of_epochs_is_a_guess(dataset: EncodedDataset) -> None:
    """Not one epoch fits into what may be spent."""
    assert foresee(assemble(SETTINGS, dataset), most=0.0).epochs == EPOCHS
