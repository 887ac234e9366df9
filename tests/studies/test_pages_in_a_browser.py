"""A comparison in NNI's web UI and in Optuna's dashboard, running and finished, in headless Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from nas_fusion.nni_bridge import web_ui
from nas_fusion.studies import StudyFolder, dashboard
from tests.command_process import NASFUSION, PATIENCE_SECONDS, CommandProcess

COMMAND = (
    "compare --data synthetic:2000 --levels 1 --emb-dim 4 --budget 1x --candidates 3 --epochs 2 --patience 0 "
    "--seeds 2 --device cpu --strategies random,optfusion-hard --study apples"
)
GO = "go on"
AFTER_A_CELL_WAIT = f"""
import time
from itertools import count
from pathlib import Path
from nas_fusion.studies.queue import cell_loop

run_cell, calls = cell_loop.run_cell, count()

def run_when_told(*arguments, **named):
    while next(calls) and not Path({GO!r}).exists():
        time.sleep(0.05)
    return run_cell(*arguments, **named)

cell_loop.run_cell = run_when_told
{NASFUSION}
"""
CELLS = 2 * 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CommandProcess, StudyFolder]]:
    """A comparison that has finished a cell and has begun the next while the first test looks at it."""
    folder = tmp_path_factory.mktemp("pages")
    environment = {"NASFUSION_CACHE": str(folder / "cache")}
    found = CommandProcess(COMMAND.split(), folder, environment, code=AFTER_A_CELL_WAIT)
    yield found, StudyFolder(folder / "apples")
    found.kill()


@pytest.fixture(scope="module")
def finished(process: tuple[CommandProcess, StudyFolder]) -> StudyFolder:
    (process[0].folder / GO).touch()
    assert process[0].wait(2 * PATIENCE_SECONDS) == 0, process[0].said()
    return process[1]


@pytest.fixture(scope="module")
def pages_of_the_finished(finished: StudyFolder) -> Iterator[str]:
    """NNI's web UI, which several tests look at."""
    with web_ui(finished.nni) as address:
        yield address


def wait_for_text(page: Any, text: str) -> None:
    """Wait for a text whose words may stand in several elements."""
    page.wait_for_function("text => document.body.innerText.split(/\\s+/).join(' ').includes(text)", arg=text)


def test_a_running_comparison(process: tuple[CommandProcess, StudyFolder], page: Any) -> None:
    running, study = process
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not study.cell("random", 0).exists():
        assert time.monotonic() < deadline, "no cell was finished"
        assert running.returncode is None, "it ended too soon"
        time.sleep(0.05)
    with web_ui(study.nni) as address:
        page.goto(f"{address}/detail")
        page.get_by_text("SUCCEEDED").first.wait_for()
        before = page.get_by_text("SUCCEEDED").count()
    with dashboard(study) as address:
        page.goto(f"{address}/dashboard")
        page.get_by_text("apples").first.wait_for()
    assert before >= 4, "three candidates and a re-training"
    assert running.returncode is None, "it ended before anybody had looked"


def test_overview_of_a_finished_comparison(finished: StudyFolder, pages_of_the_finished: str, page: Any) -> None:
    results = pd.read_csv(finished.results)
    trials = 2 * 3 + 2 * 1 + CELLS  # candidates, searches, re-trainings
    page.goto(f"{pages_of_the_finished}/oview")
    best = results[["valid_auc", "search_valid_auc"]].max().max()
    wait_for_text(page, f"{best:.6f} Best metric")
    wait_for_text(page, f"Succeeded {trials} {trials}/99999")


def test_axes_and_curves_of_a_finished_comparison(pages_of_the_finished: str, page: Any) -> None:
    page.goto(f"{pages_of_the_finished}/detail")
    page.get_by_text("Hyper-parameter", exact=True).click()
    page.locator("svg text", has_text="connections").first.wait_for()
    axes = page.locator(".parcoords .dimension > .axis > text.label").all_text_contents()
    blocks = ["cross1", "deep1", "output"]
    metrics = ["default", "test_auc", "test_logloss", "at_chance"]
    assert axes == ["connections", "phase", "strategy", *blocks, *metrics]
    boxes = [label.bounding_box() for label in page.locator(".parcoords text.label").all()]
    assert all(a["x"] + a["width"] <= b["x"] for a, b in pairwise(boxes)), "a name covers another"
    assert page.get_by_text(re.compile("^optfusion_hard_")).count() == 2 + 1 + 1, "its searches and re-trainings"
    page.get_by_text("Intermediate result", exact=True).click()
    page.locator("canvas").first.wait_for()


def test_optunas_dashboard_of_a_finished_comparison(finished: StudyFolder, page: Any) -> None:
    with dashboard(finished) as address:
        page.goto(f"{address}/dashboard")
        page.get_by_text("apples").first.click()
        page.locator("#plot-history .main-svg").first.wait_for()
        page.locator(".js-plotly-plot", has_text="test AUC").first.wait_for()  # the comparison's own figure
        wait_for_text(page, "validation AUC")
        page.goto(f"{address}/dashboard/studies/1/trials")
        page.get_by_text("Trial 0").first.wait_for()
        page.get_by_text("design.svg").first.wait_for()
