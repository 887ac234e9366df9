"""NNI's pages as a user sees them, in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.design import FusionDesign, candidate_connections, connection_label, operation_label
from nas_fusion.nni_bridge import ExperimentRecorder, web_ui

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
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
WAIT_MS = 30_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    found = browser.new_page(viewport={"width": 1500, "height": 1300})
    # Fonts and icons come from elsewhere; a machine without a network must not wait for them.
    found.route(lambda url: not url.startswith("http://127.0.0.1"), lambda route: route.abort())
    found.set_default_timeout(WAIT_MS)
    yield found
    found.close()


def record(log: ExperimentRecorder) -> None:
    with log.trial("search", strategy="optfusion-hard") as trial:
        for auc in CURVE:
            trial.validated(auc)
        trial.found(DESIGN)
        trial.result(CURVE[-1])
    with log.trial("candidate", DESIGN, strategy="random") as trial:
        trial.result(0.7)


def test_a_finished_study(page: Any, tmp_path: Path) -> None:
    with ExperimentRecorder(tmp_path, "finished", AXES) as log:
        record(log)
    with web_ui(tmp_path) as address:
        page.goto(f"{address}/oview")
        page.get_by_text("Best metric").wait_for()
        text = " ".join(page.inner_text("body").split())
        assert "0.740000 Best metric" in text
        assert "Succeeded 2 2/99999" in text

        page.goto(f"{address}/detail")
        page.get_by_text("Hyper-parameter", exact=True).click()
        page.locator("canvas").first.wait_for()
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


def test_the_graph_has_an_axis_for_every_connection_and_operation(page: Any, tmp_path: Path) -> None:
    with ExperimentRecorder(tmp_path, "axes", AXES) as log:
        record(log)
    with web_ui(tmp_path) as address:
        page.goto(f"{address}/detail")
        page.get_by_text("Hyper-parameter", exact=True).click()
        page.locator("text=cross1/operation").first.wait_for()
        axes = page.locator("svg text").all_text_contents()
        assert set(AXES) <= set(axes)


def test_a_running_study(page: Any, tmp_path: Path) -> None:
    with ExperimentRecorder(tmp_path, "running", AXES) as log:
        record(log)
        with web_ui(tmp_path) as address, log.trial("search", strategy="optfusion-hard") as trial:
            trial.validated(0.6)
            page.goto(f"{address}/detail")
            page.get_by_text("RUNNING").first.wait_for()
            assert page.get_by_text("SUCCEEDED").count() == 2
