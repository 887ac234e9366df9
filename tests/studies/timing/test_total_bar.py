"""The bar over everything: what is left of a study, and how much is over."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from nas_fusion.studies.timing.total_bar import TimeLeft, TotalBar


def test_time_left_counts_down_between_two_looks() -> None:
    now = 0.0
    left = TimeLeft(lambda: now)
    left.foresee(30)
    now = 10
    assert left.seconds == 20
    assert left.share == pytest.approx(1 / 3)
    left.foresee(10)  # things went quicker than foreseen
    assert left.share == pytest.approx(1 / 2)
    now = 50
    assert left.seconds == 0
    assert left.share == 1


def test_a_stage_has_its_bar_below_the_bar_over_everything() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    bar = TotalBar(console)
    with bar.drawn():
        bar.update(120, "3 of 9 cells")
        with Progress(console=console) as stage:
            stage.add_task("deepfm seed 1 re-train", total=1.0)
    assert isinstance(console.file, io.StringIO)
    frame = console.file.getvalue()
    assert (
        frame.index("everything") < frame.index("3 of 9 cells about 2 min left") < frame.index("deepfm seed 1 re-train")
    )


def test_without_a_console_nothing_is_drawn() -> None:
    bar = TotalBar(None)
    with bar.drawn():
        bar.update(10)
    assert bar.left.seconds > 0
