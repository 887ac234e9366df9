"""What fits into a time limit: whole seeds, else whole strategies."""

from __future__ import annotations

import pytest

from nas_fusion.data import prepare
from nas_fusion.records import FailedCell
from nas_fusion.report import duration, left_out_words
from nas_fusion.settings import ComparisonSettings, DataOptions
from nas_fusion.studies import assemble
from nas_fusion.studies.queue.cell_book import Cell
from nas_fusion.studies.timing.forecast import Forecast
from nas_fusion.studies.timing.pace import Pace
from nas_fusion.studies.timing.paces import Paces
from nas_fusion.studies.timing.schedule import Schedule
from nas_fusion.system.deadline import Deadline

STRATEGIES = ("random", "stacked", "parallel")
SEEDS = (0, 1, 2)


def still() -> float:
    """A clock that stands."""
    return 0.0


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Forecast:
    dataset = prepare("synthetic:2000", cache=tmp_path_factory.mktemp("cache"))
    settings = ComparisonSettings("synthetic:2000", DataOptions(), STRATEGIES, SEEDS)
    paces = Paces(assemble(settings, dataset), Pace(0.0, 0.0, 0.0))
    # Nothing is known of rows, so a cell takes what is known of its strategy.
    return Forecast(paces, known={"random": 50.0, "stacked": 10.0, "parallel": 20.0})


def waiting() -> list[Cell]:
    return [Cell(name, seed) for seed in SEEDS for name in STRATEGIES]


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [
        (1000, waiting()),
        (170, waiting()[:6]),  # a seed of all takes 80
        (100, waiting()[:3]),
        (59, [Cell("stacked", 0), Cell("parallel", 0)]),  # not even one seed of all: the quickest strategies
        (15, [Cell("stacked", 0)]),
        (5, []),
        (45, [Cell(name, 0) for name in ("stacked", "parallel")]),
        (72, [Cell(name, seed) for seed in (0, 1) for name in ("stacked", "parallel")]),
    ],
)
def test_seeds_are_left_out_whole_and_else_strategies(forecast: Forecast, seconds: float, kept: list[Cell]) -> None:
    schedule = Schedule(forecast, Deadline(seconds, still))
    surplus = schedule.surplus(waiting(), [])
    assert [cell for cell in waiting() if cell not in surplus] == kept


def test_a_seed_that_has_begun_is_not_left_out_for_a_later_one(forecast: Forecast) -> None:
    """One seed is done; the second one does not fit any more, and no part of it is begun."""
    done = [Cell(name, 0) for name in STRATEGIES]
    schedule = Schedule(forecast, Deadline(70, still))
    rest = [cell for cell in waiting() if cell.seed]
    assert schedule.surplus(rest, done) == rest


def test_two_processes_have_twice_the_time(forecast: Forecast) -> None:
    schedule = Schedule(forecast, Deadline(85, still), processes=2)
    assert schedule.surplus(waiting(), []) == waiting()[6:]


def test_why_names_the_time(forecast: Forecast) -> None:
    schedule = Schedule(forecast, Deadline(60, still))
    assert schedule.why(Cell("random", 0)) == "left out: about 50 s, which did not fit into the time limit of 60 s"


def test_what_was_left_out_is_told_by_name() -> None:
    cells = [FailedCell(name, seed, "late") for name in ("darts", "tpe") for seed in (1, 2)]
    assert left_out_words([*cells, FailedCell("nasrec", 0, "late")]) == "darts, tpe, seeds 1, 2; nasrec, seed 0"
    assert left_out_words([]) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (40, "40 s"), (300, "5 min"), (5399, "90 min"), (7200, "2 h"), (9000, "2.5 h"), (90_000, "25 h")],
)
def test_durations_are_told_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
