"""A comparison leaves an NNI experiment with a trial for every training."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from typing import Any

import pytest

from nas_fusion.data import DataOptions, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.nni_bridge import experiment_id
from nas_fusion.nni_bridge.ui_axes import SUMMARY
from nas_fusion.report import Margins
from nas_fusion.studies import Comparison, ComparisonSettings, ModelSettings, RecipeSettings, compare

pytestmark = pytest.mark.slow

CANDIDATES = 3


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("recorded")
    settings = ComparisonSettings(
        source="synthetic:2000",
        data=DataOptions(),
        strategies=("random", "optfusion-hard", "optfusion-soft", "parallel"),
        seeds=(4,),
        budget="2x",
        candidates=CANDIDATES,
        model=ModelSettings(levels=1, emb_dim=2),
        recipe=RecipeSettings(retrain_epochs=2),
        device="cpu",
    )
    return compare(settings, prepare("synthetic:2000", cache=folder / "cache"), folder / "study")


def rows(comparison: Comparison, query: str) -> list[Any]:
    folder = comparison.folder.nni
    database = sqlite3.connect(folder / str(experiment_id(folder)) / "db" / "nni.sqlite")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def trials(comparison: Comparison) -> dict[str, dict[str, Any]]:
    found = rows(comparison, "select trialJobId, data from TrialJobEvent where event = 'RUNNING'")
    return {trial: json.loads(data)["parameters"] for trial, data in found}


def test_every_training_is_a_trial(comparison: Comparison) -> None:
    found = Counter((t["phase"], t["strategy"]) for t in trials(comparison).values())
    assert found == {
        ("candidate", "random"): CANDIDATES,
        ("re-train", "random"): 1,
        ("search", "optfusion-hard"): 1,  # soft shares it
        ("re-train", "optfusion-hard"): 1,
        ("re-train", "optfusion-soft"): 1,
        ("re-train", "parallel"): 1,
    }
    assert {t["seed"] for t in trials(comparison).values()} == {4}
    ends = rows(comparison, "select event, count(*) from TrialJobEvent group by event")
    assert dict(ends) == {"RUNNING": len(trials(comparison)), "SUCCEEDED": len(trials(comparison))}


def test_designs_curves_and_results_are_those_of_the_cells(comparison: Comparison) -> None:
    margins = Margins.of(comparison.info.rows, comparison.info.label_rate)
    metrics = rows(comparison, "select trialJobId, type, data from MetricData order by sequence")
    for record in comparison.records:
        trial, parameters = next(
            (key, t)
            for key, t in trials(comparison).items()
            if (t["phase"], t["strategy"]) == ("re-train", record.strategy)
        )
        drawn = parameters.pop(SUMMARY)
        assert drawn == {"phase": "re-train", "strategy": record.strategy, **record.design.in_short()}
        sample = {k: v for k, v in parameters.items() if k not in ("phase", "strategy", "seed")}
        assert FusionDesign.from_sample(sample) == record.design
        mine = [(kind, json.loads(json.loads(data))) for key, kind, data in metrics if key == trial]
        curve = [value for kind, value in mine if kind == "PERIODICAL"]
        assert curve == [point.valid_auc for point in record.retrain_history]
        assert [value for kind, value in mine if kind == "FINAL"] == [
            {
                "default": record.valid_auc,
                "test_auc": record.test_auc,
                "test_logloss": record.test_logloss,
                "at_chance": float(margins.hold(record.valid_auc, record.test_auc)),
            }
        ]


def test_a_one_shot_search_has_its_design_and_a_point_for_every_epoch(comparison: Comparison) -> None:
    record = next(r for r in comparison.records if r.strategy == "optfusion-hard")
    trial, parameters = next((key, t) for key, t in trials(comparison).items() if t["phase"] == "search")
    assert record.design.to_sample().items() <= parameters.items()
    found = rows(comparison, f"select data from MetricData where trialJobId = '{trial}' and type = 'PERIODICAL'")
    assert [json.loads(json.loads(data)) for (data,) in found] == [point.valid_auc for point in record.trace]
