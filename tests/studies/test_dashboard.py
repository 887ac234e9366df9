"""A comparison in Optuna's dashboard: its cells, their curves and designs, its figures."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import DataOptions, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.report import comparison_figures, headline
from nas_fusion.studies import (
    Comparison,
    ComparisonSettings,
    ModelSettings,
    RecipeSettings,
    StudyFolder,
    compare,
    dashboard,
)  # fmt: skip
from tests.command_process import PATIENCE_SECONDS


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
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
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
        assert float(attributes["at_chance"]) in (0.0, 1.0)
    assert len(trials) == len(comparison.records)


def test_strategy_and_seed_are_not_called_important(comparison: Comparison, address: str) -> None:
    number, found = study(address)
    assert {name for trial in found["trials"] for name in (p["name"] for p in trial["params"])} == {"strategy", "seed"}
    assert json.loads(get(address, f"api/studies/{number}/param_importances")) == {"param_importances": [[]]}


def test_designs_and_drawings_are_artifacts(comparison: Comparison, address: str) -> None:
    number, found = study(address)
    trials = by_strategy(found)
    for record in comparison.records:
        trial = trials[record.strategy]
        files = {a["filename"]: a["artifact_id"] for a in trial["artifacts"]}
        assert set(files) == {"design.svg", "design.json", "reliability.svg", "report.md"}
        content = get(address, f"artifacts/{number}/{trial['trial_id']}/{files['design.json']}")
        assert FusionDesign.from_json(content.decode()) == record.design
        curve = get(address, f"artifacts/{number}/{trial['trial_id']}/{files['reliability.svg']}").decode()
        assert curve.count("<circle") == len(record.reliability)
        page = get(address, f"artifacts/{number}/{trial['trial_id']}/{files['report.md']}").decode()
        assert f"- test AUC: {record.test_auc:.4f}\n" in page


def test_the_comparisons_figures_stand_on_its_page(comparison: Comparison, address: str) -> None:
    _, found = study(address)
    figures = {g["id"]: json.loads(g["graph_object"]) for g in found["plotly_graph_objects"]}
    assert {"test-auc", "search-seconds", "search-samples", "pareto-parameters"} <= set(figures)
    assert set(figures) == set(comparison_figures(comparison.report))
    assert all(figure["data"] for figure in figures.values())


def test_the_decision_stands_on_its_page(comparison: Comparison, address: str) -> None:
    _, found = study(address)
    words = {a["key"]: a["value"] for a in found["user_attrs"]}
    assert " ".join(headline(comparison.report.decision)) in words["verdict"]
    assert "optfusion-hard, seed 0" in words["best found by search"]
    assert {"best model", "did not learn", "failed"} <= set(words)


def status(address: str, method: str, path: str, body: str = "", **headers: str) -> int:
    connection = HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE_SECONDS)
    with closing(connection):
        connection.request(method, f"/{path}", body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        answer.read()
        return answer.status


LINK = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:80"}, {"Host": "127.0.0.1.evil.example"}, {"Host": "evil.example@127.0.0.1"},
        {"Host": ""},
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, LINK,
    ],
    ids=str,
)  # fmt: skip
def test_a_page_from_elsewhere_gets_nothing(headers: dict[str, str], address: str) -> None:
    for path in ("api/studies", "artifacts/1/1/x"):
        assert status(address, "GET", path, **headers) == 403


def test_no_page_from_elsewhere_changes_a_study(address: str) -> None:
    number, before = study(address)
    form = {"Content_Type": "text/plain"}
    changes = [
        ("DELETE", f"api/studies/{number}", ""),
        ("POST", "api/studies", '{"study_name": "another", "directions": ["minimize"]}'),
        ("POST", f"api/studies/{number}/rename", '{"study_name": "another"}'),
        ("PUT", f"api/studies/{number}/note", '{"body": "x", "version": 1}'),
        ("POST", f"api/artifacts/{number}", '{"file": "data:,x", "filename": "x.html"}'),
    ]
    senders = [
        form, form | {"Origin": "http://evil.example"}, form | {"Origin": "null"}, form | {"Origin": "http://127.0.0.1:1"},
        {"Content_Type": "application/json", "Host": "evil.example:80", "Origin": "http://evil.example:80"},
        {"Content_Type": "application/json", "Origin": address, "Sec_Fetch_Site": "cross-site"},
    ]  # fmt: skip
    for method, path, body in changes:
        for headers in senders:
            assert status(address, method, path, body, **headers) == 403, (method, path, headers)
    assert study(address) == (number, before)


def test_its_own_pages_and_links_to_them_work(address: str) -> None:
    own = {"Origin": address, "Sec_Fetch_Site": "same-origin", "Content_Type": "application/json"}
    number, _ = study(address)
    assert status(address, "GET", "api/studies", **own) == 200
    assert status(address, "PUT", f"api/studies/{number}/note", '{"body": "mine", "version": 1}', **own) == 204
    assert status(address, "GET", f"dashboard/studies/{number}", **LINK) == 200
    assert status(address, "GET", "dashboard", Sec_Fetch_Site="none") in (200, 302)
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
