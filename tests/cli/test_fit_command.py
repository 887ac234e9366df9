"""``nasfusion fit``, ``--quick`` and ``--time-limit`` from the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import nas_fusion
from nas_fusion.budget import seconds_in
from nas_fusion.cli import main
from tests.command_process import CommandProcess

SMALL = ("--data", "synthetic:2000", "--device", "cpu", "--recipe", "defaults")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("20m", 1200.0), ("2h", 7200.0), ("1.5h", 5400.0), ("20", None), ("0s", None), ("soon", None)],
)
def test_a_time_is_read(text: str, seconds: float | None) -> None:
    assert seconds_in(text) == seconds


def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--time-limit", "soon"])
    assert ended.value.code == 2
    assert "--time-limit must be a time like 90s, 20m or 2h, got 'soon'" in capsys.readouterr().err


@pytest.mark.slow
def test_fit_makes_a_model_and_goes_on_where_it_was(tmp_path: Path) -> None:
    asked = ["fit", *SMALL, "--strategies", "logistic-regression", "--seeds", "1", "--epochs", "2", "--out", "model"]
    first = CommandProcess(asked, tmp_path)
    assert first.wait() == 0, first.stderr
    assert "\nthe model: " in first.stdout
    assert nas_fusion.load(tmp_path / "model").manifest.seed == 0
    assert (tmp_path / "model" / "report.html").is_file()
    log = (tmp_path / "model-study" / "log.txt").read_text()
    assert "logistic-regression, seed 0 begins" in log
    assert "[3/3] " in log

    again = CommandProcess(asked, tmp_path)
    assert again.wait() == 0, again.stderr
    assert "begins" not in again.stdout

    limited = CommandProcess([*asked, "--time-limit", "12s", "--no-blend"], tmp_path)  # which is for tuning, now
    assert limited.wait() == 0, limited.stderr
    assert "logistic-regression, seed 0 begins" not in limited.stdout
    assert "The time went into: " in limited.stdout


@pytest.mark.slow
def test_quick_is_small_but_for_what_is_asked_for(tmp_path: Path) -> None:
    asked = ["compare", *SMALL[:4], "--strategies", "stacked", "--quick", "--epochs", "1", "--study", "study"]
    done = CommandProcess(asked, tmp_path)
    assert done.wait() == 0, done.stderr
    assert "2 cells (2 strategies, 1 seed): about " in done.stdout
    settings = tomllib.loads((tmp_path / "study" / "study.toml").read_text())
    assert (settings["seeds"], settings["budget"], settings["candidates"]) == ([0], "2x", 4)
    assert (settings["recipe"]["retrain_epochs"], settings["recipe"]["choice"]) == (1, "defaults")
    assert "0:00:" in done.stdout  # no terminal: a line with a clock for what begins
