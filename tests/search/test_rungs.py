"""Candidates by rungs: who goes on, what it costs, and that a search by rungs is one of whole trainings."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.nni_bridge import CandidateSpace
from nas_fusion.search import InProcess, SearchOutcome, SearchTask, build_context, run_search
from nas_fusion.search.multitrial.candidates import train_candidate
from nas_fusion.search.multitrial.rungs import Leg, RungPlan, Rungs, equal_shares, plan_rungs
from nas_fusion.strategy import STRATEGIES
from nas_fusion.strategy.abilities import HalvesCandidates, Halving
from nas_fusion.testing import tiny_data, tiny_task
from nas_fusion.testing.small_task import BATCH_SIZE
from nas_fusion.training import Rank

HALVED = ["asha", "evolution-asha", "tpe-asha"]
BATCH = 100
PLENTY = 10**9


# Plans ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("halving", "candidates", "ends", "shares"),
    [
        # 9 to the first rung, and of 3 of them two more of its length: 15 of them are the budget.
        (Halving(3, 2), 9, (1000, 3000), 15.0),
        # And of one of these six more.
        (Halving(3, 3), 9, (700, 2100, 6300), 15_000 / 700),
        (Halving(2, 9), 8, (800, 1600, 3200, 6400), 15_000 / 800),
        # Too few for a second rung that one in three reaches.
        (Halving(3, 2), 3, (3000, 9000), 5.0),
    ],
)
def test_the_first_rung_is_as_long_as_the_budget_allows(
    halving: Halving, candidates: int, ends: tuple[int, ...], shares: float
) -> None:
    plan = plan_rungs(halving, candidates, 15_000, BATCH, PLENTY)
    assert plan is not None
    assert plan.samples == ends
    assert plan.shares == pytest.approx(shares)
    assert sum(plan.steps) * ends[0] == pytest.approx(ends[-1])


def test_no_candidate_is_trained_for_longer_than_a_re_training() -> None:
    plan = plan_rungs(Halving(3, 3), 9, 15_000, BATCH, 1000)
    assert plan is not None
    assert plan.samples == (700, 1000)


@pytest.mark.parametrize("most", [PLENTY, 100])
def test_where_there_is_one_rung_only_there_is_no_plan(most: int) -> None:
    assert plan_rungs(Halving(3, 1), 9, 15_000, BATCH, PLENTY) is None
    assert plan_rungs(Halving(4, 3), 3, 15_000, BATCH, PLENTY) is None
    assert plan_rungs(Halving(3, 3), 9, 15_000, BATCH, 500) is None


def test_rungs_in_seconds_are_shares_of_them() -> None:
    assert plan_rungs(Halving(3, 2), 9, None, BATCH, PLENTY) == RungPlan((1.0, 2.0), None, 15, 3)


@pytest.mark.parametrize("options", [{"reduction_factor": 1}, {"rungs": 0}])
def test_halving_by_nothing_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        Halving(**options)


# Who goes on ---------------------------------------------------------------------------------------------------------


class Candidate:
    """A candidate whose AUC after every training is known."""

    def __init__(self, auc: float) -> None:
        self.auc = auc


def climb(rungs: Rungs, aucs: list[float]) -> list[str]:
    """What happens, candidate by candidate: ``0.7@0`` is one of AUC .7 that reaches rung 0."""
    told = []

    def train(candidate: Candidate) -> None:
        told.append(f"{candidate.auc:g}@{rungs.leg(candidate).rung}")
        rungs.reached(candidate, Rank(candidate.auc, 0.0))

    for auc in aucs:
        if not rungs.room():
            break
        candidate = Candidate(auc)
        rungs.enter(candidate)
        train(candidate)
        while going_on := rungs.going_on(1):
            train(going_on[0])
    while going_on := rungs.going_on(1, rest=True):
        train(going_on[0])
    return told


def always(shares: float) -> bool:
    return True


def test_the_best_third_goes_on_as_soon_as_it_is_that() -> None:
    plan = plan_rungs(Halving(3, 2), 9, 15_000, BATCH, PLENTY)
    assert plan is not None
    rungs = Rungs(plan, 9, always)
    told = climb(rungs, [0.5, 0.6, 0.55, 0.7, 0.52, 0.51, 0.65, 0.66, 0.58])
    # .6 is the best of three, .7 of four, and .65 the second of seven. Nine candidates and three steps are 15 shares:
    # there is nothing for .66, the second of eight.
    assert " ".join(told) == ("0.5@0 0.6@0 0.55@0 0.6@1 0.7@0 0.7@1 0.52@0 0.51@0 0.65@0 0.65@1 0.66@0 0.58@0")
    assert rungs.spent == plan.shares == 15


def test_what_is_left_goes_to_the_best_that_wait() -> None:
    rungs = Rungs(RungPlan((1.0, 2.0), (100, 300), 10.0, 3), 4, always)
    # .7 is the best of three. Four candidates and a step are six of ten shares.
    told = climb(rungs, [0.5, 0.6, 0.7, 0.55])
    assert told == ["0.5@0", "0.6@0", "0.7@0", "0.7@1", "0.55@0", "0.6@1", "0.55@1"]
    assert rungs.spent == 10


@pytest.mark.parametrize("shares", [8.0, 8.5])
def test_the_last_leg_is_as_long_as_the_budget(shares: float) -> None:
    rungs = Rungs(RungPlan((1.0, 2.0), (100, 300), shares, 3, 50), 6, always)
    candidates = [Candidate(auc) for auc in (0.5, 0.6, 0.55, 0.51, 0.52, 0.53)]
    for candidate in candidates:
        rungs.enter(candidate)
        rungs.reached(candidate, Rank(candidate.auc, 0.0))
    assert rungs.going_on(1) == [candidates[1]]
    (last,) = rungs.going_on(9, rest=True) or [None]
    leg = None if last is None else rungs.leg(last)
    assert (leg and (leg.seen, leg.samples, leg.leave)) == (None if shares == 8 else (100, 150, None))


def test_one_rung_is_equal_shares() -> None:
    told = climb(Rungs(equal_shares(3, 100), 3, always), [0.5, 0.6, 0.7, 0.8])
    assert told == ["0.5@0", "0.6@0", "0.7@0"]


def test_files_of_those_that_cannot_go_on_are_removed(tmp_path: Path) -> None:
    rungs = Rungs(RungPlan((1.0, 2.0), (100, 300), 6.0, 3), 4, always, tmp_path)
    candidates = [Candidate(auc) for auc in (0.5, 0.6, 0.7)]
    for candidate in candidates:
        rungs.enter(candidate)
        file = rungs.leg(candidate).leave
        assert file is not None
        file.write_text("as large as a training")
        rungs.reached(candidate, Rank(candidate.auc, 0.0))
    # One of four candidates goes on in the end, and one may with what is left.
    assert set(tmp_path.iterdir()) == {rungs.leg(candidate).leave for candidate in candidates[1:]}
    assert rungs.going_on(3) == [candidates[2]]
    leg = rungs.leg(candidates[2])
    assert (leg.rung, leg.seen, leg.samples, leg.leave) == (1, 100, 300, None)
    assert leg.start in list(tmp_path.iterdir())


# Searches ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


def task(data: SearchData, **options: Any) -> SearchTask:
    small: dict[str, Any] = {"seed": 3, "levels": 1, "candidates": 6, "budget": "6x", **options}
    return tiny_task(data, **small)


def rungs_of(outcome: SearchOutcome) -> list[int]:
    return [candidate["rung"] for candidate in outcome.details["candidates"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", HALVED)
def test_a_search_by_rungs_spends_its_budget(name: str, data: SearchData) -> None:
    search = task(data)
    outcome = run_search(STRATEGIES.get(name), search)
    assert search.budget.samples is not None
    # Each candidate may go over by less than a batch.
    assert abs(outcome.samples - search.budget.samples) < outcome.candidates * BATCH_SIZE
    assert set(rungs_of(outcome)) == {1, 2}
    best = max(outcome.details["candidates"], key=lambda candidate: candidate["valid_auc"])
    assert str(outcome.design) == best["design"]
    assert not list(Path(tempfile.gettempdir()).glob("nas-fusion-*/.interrupted*"))


@pytest.mark.slow
def test_a_candidate_that_goes_on_is_one_that_was_trained_at_once(data: SearchData) -> None:
    first = 6 * BATCH_SIZE
    search = task(data, candidates=3, budget=str(5 * first))
    outcome = run_search(STRATEGIES.get("asha"), search)
    assert sorted(rungs_of(outcome)) == [1, 1, 2]
    went_on = outcome.details["candidates"][rungs_of(outcome).index(2)]["design"]
    tried = {str(design): design for design in (outcome.design, *outcome.alternatives)}
    design = tried[went_on]
    assert isinstance(design, FusionDesign)
    candidate = CandidateSpace.from_model(search.make_space()).freeze(design.to_sample())
    config = replace(search.config, max_samples=3 * first, patience=0)
    whole = train_candidate(search, config, candidate.executable_model, lambda record: None, place=0)
    # The first rung ends in the middle of an epoch, so the validation there is one that the whole training has not.
    assert outcome.samples == 2 * first + whole.samples
    assert outcome.trace[-1].valid_auc == whole.trace[-1].valid_auc


@pytest.mark.slow
@pytest.mark.parametrize("name", HALVED)
@pytest.mark.parametrize("concurrency", [2, 4])
def test_waves_are_filled_with_those_that_go_on(name: str, concurrency: int, data: SearchData) -> None:
    search = replace(task(data), engine=InProcess(concurrency))
    outcome = run_search(STRATEGIES.get(name), search)
    assert 2 in rungs_of(outcome)
    assert outcome.samples <= (search.budget.samples or 0) + outcome.candidates * BATCH_SIZE


@pytest.mark.slow
def test_proposals_hear_of_those_that_go_on(data: SearchData) -> None:
    search = task(data, candidates=9, budget="9x")
    entry = STRATEGIES.get("evolution-asha")
    strategy = entry.build(build_context(search), **entry.parameters)
    assert isinstance(strategy, HalvesCandidates)
    outcome = run_search(replace(entry, build=lambda context, **parameters: strategy), search)
    known = {individual.y for individual in strategy._population}  # type: ignore[attr-defined]
    told = {candidate["valid_auc"] for candidate in outcome.details["candidates"] if candidate["rung"] == 2}
    assert known & told


@pytest.mark.slow
@pytest.mark.parametrize("name", HALVED)
def test_seconds_are_kept(name: str, data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get(name), task(data, budget="2s"))
    assert outcome.candidates >= 1
    assert outcome.trace


def test_a_leg_is_all_of_a_training_unless_it_says_otherwise() -> None:
    assert Leg() == Leg(rung=0, samples=None, seen=0, shares=1.0, start=None, leave=None)
