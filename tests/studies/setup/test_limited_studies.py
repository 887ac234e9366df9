"""Studies under limits: what they write, what they refuse, and that they go on with the same latencies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.measures import multiply_adds
from nas_fusion.studies import (
    ComparisonSettings,
    LimitSettings,
    ModelSettings,
    RecipeSettings,
    StudyLimits,
    compare,
    make_space,
    tune,
)

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:3000",
    data=DataOptions(),
    strategies=("random", "optfusion-hard", "optfusion-soft", "parallel"),
    seeds=(0,),
    budget="1x",
    candidates=2,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
    device="cpu",
)
FEW = LimitSettings(multiply_adds=1800)
"""The smallest soft model has 1,300."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache"))


class Clock:
    """A latency clock that goes by multiply-adds, and is a little slower every time; it counts what it measured."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, model: nn.Module, fields: Any, batch: int, config: Any) -> float:
        self.calls += 1
        return multiply_adds(model, fields) / 1000 * (1 + self.calls / 10_000)


def limited(**limits: Any) -> ComparisonSettings:
    return replace(SETTINGS, limits=LimitSettings(**limits))


def test_every_searched_cell_keeps_the_limit_and_has_its_cost(dataset: EncodedDataset, tmp_path: Path) -> None:
    result = compare(replace(SETTINGS, limits=FEW), dataset, tmp_path / "study")
    by_name = {record.strategy: record for record in result.records}
    for name in ("random", "optfusion-hard", "optfusion-soft"):
        record = by_name[name]
        assert record.cost["multiply_adds"] <= FEW.multiply_adds
        assert record.details["limits"]["max-multiply-adds"] == {
            "limit": FEW.multiply_adds, "cost": record.cost["multiply_adds"], "kept": True,
        }  # fmt: skip
    assert by_name["parallel"].details["limits"]["max-multiply-adds"]["kept"] is True
    for record in result.records:
        assert set(record.cost) == {"multiply_adds", "latency_ms_1", "latency_ms_4096", "training_rows_per_second"}
        assert all(value > 0 for value in record.cost.values())


def test_a_reference_above_the_limit_stays_and_says_so(dataset: EncodedDataset, tmp_path: Path) -> None:
    settings = replace(limited(multiply_adds=1000), strategies=("parallel",))
    (record,) = compare(settings, dataset, tmp_path / "study").records
    found = record.details["limits"]["max-multiply-adds"]
    assert found == {"limit": 1000, "cost": record.cost["multiply_adds"], "kept": False}


def test_a_study_without_limits_has_its_cost_too(dataset: EncodedDataset, tmp_path: Path) -> None:
    result = compare(replace(SETTINGS, strategies=("parallel",)), dataset, tmp_path / "study")
    (record,) = result.records
    assert isinstance(record.design, FusionDesign)
    space = make_space(SETTINGS, dataset)
    assert record.cost["multiply_adds"] == multiply_adds(space.derive(record.design, weights=False), space.fields)
    assert "limits" not in record.details
    assert not (tmp_path / "study" / "latency.json").exists()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"parameters": 10}, r"max-parameters must be at least [\d,]+ weights.*got 10"),
        ({"multiply_adds": 1}, "max-multiply-adds must be at least 20 multiply-adds per row.*got 1"),
        ({"multiply_adds": 500}, "max-multiply-adds must be at least 1,300 .* re-trained soft"),
        ({"latency_ms": 1e-9}, "max-latency must be at least .* milliseconds per batch, .*got 1e-09"),
    ],
)
def test_an_unreachable_limit_is_refused_before_anything_is_written(
    limits: dict[str, Any], message: str, dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas_fusion.studies.setup.study_limits.LATENCY_CLOCK", Clock())
    with pytest.raises(OptionError, match=message):
        compare(limited(**limits), dataset, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_latencies_are_measured_once_for_a_study(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("nas_fusion.studies.setup.study_limits.LATENCY_CLOCK", clock)
    settings, folder = limited(latency_ms=3.0), tmp_path / "study"
    first = compare(settings, dataset, folder)
    for record in first.records:
        limit = record.details["limits"]["max-latency"]
        if record.kind != "reference":
            assert limit["kept"]
            assert limit["cost"] <= 3.0
            assert record.details["limits"]["derived_again"] >= 0
    kept = json.loads((folder / "latency.json").read_text("utf-8"))
    assert kept["batch"] == 4096
    assert clock.calls > 10
    calls = clock.calls
    lost = first.folder.cell("optfusion-hard", 0) / "cell.json"
    lost.unlink()
    again = compare(settings, dataset, folder)
    assert clock.calls == calls
    designs = [[record.design for record in result.records] for result in (first, again)]
    assert designs[0] == designs[1]


def test_a_table_that_cannot_be_read_is_named(dataset: EncodedDataset, tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    path.write_text("{}")
    with pytest.raises(StudyError, match=r"latency\.json: damaged: not the latencies of a study"):
        StudyLimits(limited(latency_ms=3.0), SETTINGS.train_config(1), path)


def test_tuning_keeps_limits_at_every_width(dataset: EncodedDataset, tmp_path: Path) -> None:
    settings = replace(limited(multiply_adds=2000), strategies=("random",), tune=3)
    result = tune(settings, dataset, tmp_path / "study")
    assert result.trials == 3


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"latency_batch": 5}, "latency_batch must be one of 1, 4096, got 5"),
        ({"parameters": -1}, "parameters must be an integer from 0 to 1,000,000,000,000,000, got -1"),
    ],
)
def test_bad_limits_are_named(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        LimitSettings(**limits)


def test_limits_are_settings_of_the_study(dataset: EncodedDataset, tmp_path: Path) -> None:
    settings = limited(parameters=10**6, cost_penalty=0.5)
    assert ComparisonSettings.from_dict(settings.to_dict()) == settings
    older = settings.to_dict()
    del older["limits"]
    # Studies that are older than the choice handed on the best candidate, whatever it cost.
    assert ComparisonSettings.from_dict(older) == replace(settings, limits=LimitSettings(prefer="best"))
