"""Cells say what computed them, and a study that goes on under other conditions says so."""

from __future__ import annotations

import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.records import CellRecord
from nas_fusion.studies import Comparison, ComparisonSettings, ModelSettings, RecipeSettings, compare
from nas_fusion.studies.setup.conditions import provenance, warning_of_changes
from nas_fusion.system.files import write_text
from nas_fusion.training import TrainConfig

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:2000",
    data=DataOptions(),
    strategies=("stacked", "parallel"),
    seeds=(0,),
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(retrain_epochs=1),
    device="cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:2000", cache=tmp_path_factory.mktemp("cache"))


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "other conditions" in message]


def recompute(study: Comparison, dataset: EncodedDataset, was: CellRecord) -> Comparison:
    """Go on with a study one of whose cells is gone, while the other one was computed by `was`."""
    cell = study.folder.cell(was.strategy, was.seed) / "cell.json"
    write_text(cell, was.to_json())
    (study.folder.cell("parallel", 0) / "cell.json").unlink()
    return compare(SETTINGS, dataset, study.folder.path)


def test_every_cell_says_what_computed_it(dataset: EncodedDataset, tmp_path: Path) -> None:
    result = compare(SETTINGS, dataset, tmp_path / "study")
    for record in result.records:
        assert CellRecord.from_json(record.to_json()) == record
        found = record.provenance
        assert found["versions"]["torch"] == version("torch")
        assert found["versions"]["optuna"] == version("optuna")
        assert found["versions"]["python"] == platform.python_version()
        assert found["device"].startswith("cpu (")
        assert (found["threads"], found["precision"]) == (torch.get_num_threads(), "32")


def test_going_on_under_other_conditions_is_warned_of(
    dataset: EncodedDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = compare(SETTINGS, dataset, tmp_path / "study")
    first = study.records[0]
    other = {**first.provenance, "versions": {**first.provenance["versions"], "torch": "2.1"}, "threads": 64}
    recompute(study, dataset, replace(first, provenance=other))
    (told,) = warnings_in(caplog)
    now = torch.get_num_threads()
    assert f"torch: 2.1 (stacked seed 0), now {version('torch')}; threads: 64 (stacked seed 0), now {now}" in told
    caplog.clear()
    compare(SETTINGS, dataset, study.folder.path)
    assert not warnings_in(caplog), "nothing is computed any more, so nothing goes on under other conditions"
    recompute(study, dataset, first)
    assert not warnings_in(caplog)


def test_a_device_is_named(dataset: EncodedDataset) -> None:
    now = provenance(TrainConfig(device="cpu", precision="bf16"), dataset)
    assert (now["precision"], now["device"].partition(" ")[0]) == ("bf16", "cpu")
    assert len(now["device"]) > len("cpu ()")
    assert warning_of_changes([], now) is None
