"""While other seeds are computed, the tables of the first one are shown, once."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from nas_fusion.cli.comparison_output import CellLines
from nas_fusion.records import CellRecord
from tests.report.report_fakes import cell, comparison_info

HEADLINE = "seed 1, while the others are computed:"


def told(records: list[CellRecord], finished_before: int = 0) -> list[str]:
    """What is printed of each cell, in this order."""
    info = comparison_info(seeds=(1, 2), settings={**comparison_info().settings, "strategies": ["random", "darts"]})
    stream = StringIO()
    lines = CellLines(Console(file=stream, width=200), info, finished_before)
    printed, start = [], 0
    for number, record in enumerate(records, 1):
        lines(record, number, 4)
        printed.append(stream.getvalue()[start:])
        start = len(stream.getvalue())
    return printed


CELLS = [cell(strategy, seed) for seed in (1, 2) for strategy in ("random", "darts")]


def test_after_the_first_whole_seed() -> None:
    shown = told(CELLS)
    assert [HEADLINE in text for text in shown] == [False, True, False, False]
    table = shown[1].partition(HEADLINE)[2]
    assert "random" in table
    assert "darts" in table


def test_with_workers_the_seeds_overlap() -> None:
    shown = told([CELLS[0], CELLS[2], CELLS[1], CELLS[3]])
    assert [HEADLINE in text for text in shown] == [False, False, True, False]


@pytest.mark.parametrize("before", [2, 3, 4])
def test_what_an_earlier_start_has_shown_is_not_shown_again(before: int) -> None:
    assert not any("while the others" in text for text in told(CELLS, before))


def test_a_seed_with_a_failed_cell_is_not_whole() -> None:
    assert [("seed 2, while" in text) for text in told([CELLS[0], CELLS[2], CELLS[3]])] == [False, False, True]
