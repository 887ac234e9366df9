"""A comparison in Optuna's dashboard: its cells, their curves and designs, its figures."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from nas_fusion.data import DataOptions, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.report import comparison_figures
from nas_fusion.studies import (
    Comparison,
    ComparisonSettings,
    ModelSettings,
    RecipeSettings,
    StudyFolder,
    compare,
    dashboard,
)  # fmt: skip


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("dashboard")
    settings = ComparisonSettings(
        source="synthetic:2000",
        data=DataOptions(),
        strategies=("optfusion-hard", "parallel"),
        seeds=(0,),
        budget="2x",
        model=ModelSettings(levels=1, emb_dim=2),
        recipe=RecipeSettings(retrain_epochs=2),
        device="cpu",
    )
    return compare(settings, prepare("synthetic:2000", cache=folder / "cache"), folder / "study")


@pytest.fixture(scope="module")
def address(comparison: Comparison) -> Iterator[str]:
    with dashboard(comparison.folder) as found:
        yield found


def get(address: str, path: str, **headers: str) -> Any:
    request = urllib.request.Request(f"{address}/{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def study(address: str) -> tuple[int, dict[str, Any]]:
    (summary,) = json.loads(get(address, "api/studies"))["study_summaries"]
    assert summary["study_name"] == "study"
    number = summary["study_id"]
    return number, json.loads(get(address, f"api/studies/{number}"))


def by_strategy(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        p["param_external_value"].strip("'\""): trial
        for trial in found["trials"]
        for p in trial["params"]
        if p["name"] == "strategy"
    }


def test_cells_are_trials_with_their_curves_and_figures(comparison: Comparison, address: str) -> None:
    _, found = study(address)
    trials = by_strategy(found)
    for record in comparison.records:
        trial = trials[record.strategy]
        assert trial["state"] == "Complete"
        assert trial["values"] == [record.valid_auc]
        assert [v["value"] for v in trial["intermediate_values"]] == [p.valid_auc for p in record.retrain_history]
        attributes = {a["key"]: a["value"] for a in trial["user_attrs"]}
        assert float(attributes["test_auc"]) == record.test_auc
    assert len(trials) == len(comparison.records)


def test_designs_and_drawings_are_artifacts(comparison: Comparison, address: str) -> None:
    number, found = study(address)
    trials = by_strategy(found)
    for record in comparison.records:
        trial = trials[record.strategy]
        files = {a["filename"]: a["artifact_id"] for a in trial["artifacts"]}
        assert set(files) == {"design.svg", "design.json"}
        content = get(address, f"artifacts/{number}/{trial['trial_id']}/{files['design.json']}")
        assert FusionDesign.from_json(content.decode()) == record.design


def test_the_comparisons_figures_stand_on_its_page(comparison: Comparison, address: str) -> None:
    _, found = study(address)
    figures = {g["id"]: json.loads(g["graph_object"]) for g in found["plotly_graph_objects"]}
    assert {"test-auc", "search-seconds", "search-samples", "pareto-parameters"} <= set(figures)
    assert set(figures) == set(comparison_figures(comparison.records, comparison.info))
    assert all(figure["data"] for figure in figures.values())


def test_it_is_for_this_machine_alone(address: str) -> None:
    with pytest.raises(HTTPError, match="403"):
        get(address, "api/studies", Host="evil.example:80")
    assert address.startswith("http://127.0.0.1:")


def test_a_taken_port_and_a_folder_without_a_study_are_named(comparison: Comparison, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"port.*{port}"), dashboard(comparison.folder, port):
            pass
    with pytest.raises(StudyError, match=r"no study \(no study.toml\)"), dashboard(StudyFolder(tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == []
