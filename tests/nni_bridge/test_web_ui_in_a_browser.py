"""NNI's pages as a user sees them, in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.design import FusionDesign, candidate_connections, connection_label, operation_label
from nas_fusion.nni_bridge import ExperimentRecorder, web_ui

LEVELS = 1
CONNECTIONS = [connection_label(s, t) for s, t in candidate_connections(LEVELS)]
AXES: dict[str, list[Any]] = {
    "phase": ["search", "candidate", "re-train"],
    "strategy": ["random", "optfusion-hard"],
    **{name: [0, 1] for name in CONNECTIONS},
    operation_label("cross1"): ["add", "concat"],
    operation_label("deep1"): ["add", "concat"],
    operation_label("output"): ["add", "concat"],
}
DESIGN = FusionDesign.build(LEVELS, [("embedding", "deep1"), ("deep1", "output")], "concat")
CURVE = (0.61, 0.68, 0.74)


def record(log: ExperimentRecorder) -> None:
    with log.training("search", strategy="optfusion-hard") as training:
        for auc in CURVE:
            training.validated(auc)
        training.derived(DESIGN)
        training.result(CURVE[-1])
    with log.training("candidate", DESIGN, strategy="random") as training:
        training.result(0.7)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a finished study's pages."""
    folder = tmp_path_factory.mktemp("finished")
    with ExperimentRecorder(folder, "finished", AXES) as log:
        record(log)
    with web_ui(folder) as address:
        yield address


def test_a_finished_study(page: Any, finished: str) -> None:
    page.goto(f"{finished}/oview")
    page.get_by_text("Best metric").wait_for()
    text = " ".join(page.inner_text("body").split())
    assert "0.740000 Best metric" in text
    assert "Succeeded 2 2/99999" in text


def test_a_finished_study_has_its_curves_and_an_axis_for_every_connection_and_operation(
    page: Any, finished: str
) -> None:
    page.goto(f"{finished}/detail")
    page.get_by_text("Hyper-parameter", exact=True).click()
    page.locator("canvas").first.wait_for()
    page.locator("text=cross1/operation").first.wait_for()
    assert set(AXES) <= set(page.locator("svg text").all_text_contents())
    page.get_by_text("Intermediate result", exact=True).click()
    page.locator("canvas").first.wait_for()
    chart = page.evaluate(_INTERMEDIATE)
    assert [list(CURVE)] == [values for values in chart if values]


_INTERMEDIATE = """async () => {
    const answer = await fetch('/api/v1/nni/metric-data');
    const metrics = (await answer.json()).filter(m => m.type === 'PERIODICAL');
    const trials = {};
    for (const m of metrics) (trials[m.trialJobId] ||= []).push(JSON.parse(JSON.parse(m.data)));
    return Object.values(trials);
}"""


def test_a_running_study(page: Any, tmp_path: Path) -> None:
    with ExperimentRecorder(tmp_path, "running", AXES) as log:
        record(log)
        with web_ui(tmp_path) as address, log.training("search", strategy="optfusion-hard") as training:
            training.validated(0.6)
            page.goto(f"{address}/detail")
            page.get_by_text("RUNNING").first.wait_for()
            assert page.get_by_text("SUCCEEDED").count() == 2
