"""Multi-trial searches that start from hand-made designs."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.measures import Limit, Limits
from nas_fusion.search import SearchOutcome, SearchTask, run_search
from nas_fusion.search.engines import InProcess
from nas_fusion.search.multitrial.starts import Starts
from nas_fusion.search_spaces import FusionSpace, WideSpace, parameter_table
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing import tiny_data, tiny_task

WIDE_STARTS = ["stacked", "parallel", "fnn", "dcnv2-stacked", "dcnv2-parallel", "edcn", "finalmlp"]
"""All that are designs of the wide space with two levels or more."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("nas-fusion"))


def make_space(data: SearchData, kind: type[FusionSpace], levels: int = 2, limits: Limits | None = None) -> FusionSpace:
    space = kind.for_schema(data.schema, levels=levels, emb_dim=2)
    space.limit(limits)
    return space


def task_on(data: SearchData, kind: type[FusionSpace] = WideSpace, *, candidates: int = 9, **more: Any) -> SearchTask:
    task = tiny_task(data, budget=f"{candidates}c:0.1x", candidates=candidates)
    return replace(task, make_space=partial(make_space, data, kind), **more)


def first_candidates(outcome: SearchOutcome) -> list[str | None]:
    return [candidate.get("start") for candidate in outcome.details["candidates"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random", "evolution", "tpe", "grid"])
def test_the_first_candidates_are_the_hand_made_designs(name: str, data: SearchData) -> None:
    outcome = run_search(STRATEGIES.get(name), task_on(data))
    assert first_candidates(outcome) == [*WIDE_STARTS, None, None]
    assert outcome.candidates == 9
    told = [candidate["design"] for candidate in outcome.details["candidates"]]
    assert list(outcome.details["starts"].values()) == told[:7]
    assert len(set(told)) == 9
    best = max(candidate["valid_auc"] for candidate in outcome.details["candidates"])
    assert outcome.valid_auc == best


@pytest.mark.slow
def test_several_at_once_are_the_same_designs(data: SearchData) -> None:
    for name in ("random", "evolution"):
        task = task_on(data, engine=InProcess(concurrency=4))
        assert first_candidates(run_search(STRATEGIES.get(name), task)) == [*WIDE_STARTS, None, None]


@pytest.mark.slow
def test_more_starts_than_candidates_are_warned_of(data: SearchData, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        outcome = run_search(STRATEGIES.get("evolution"), task_on(data, candidates=3))
    assert first_candidates(outcome) == WIDE_STARTS[:3]
    assert (
        "hand-made designs take all of its 3 candidates, so nothing is searched: stacked, parallel, fnn" in caplog.text
    )


@pytest.mark.slow
def test_a_search_that_is_told_nothing_starts_as_ever(data: SearchData) -> None:
    plain = run_search(STRATEGIES.get("random"), task_on(data, FusionSpace, candidates=2))
    told = run_search(STRATEGIES.get("random"), task_on(data, FusionSpace, candidates=2, start_from="nothing"))
    assert plain.details == told.details
    assert "starts" not in plain.details


def starts(data: SearchData, space: FusionSpace, **more: Any) -> Starts:
    return Starts.of(task_on(data, **more), space)


def test_where_searches_start(data: SearchData) -> None:
    wide, plain = make_space(data, WideSpace), make_space(data, FusionSpace)
    assert list(starts(data, wide).designs) == WIDE_STARTS
    assert not starts(data, wide, start_from="nothing").designs
    assert not starts(data, plain).designs
    assert list(starts(data, plain, start_from="handmade").designs) == ["stacked", "parallel", "fnn"]


def test_what_is_no_design_or_above_a_limit_is_left_out_with_the_reason(data: SearchData) -> None:
    table = parameter_table(make_space(data, WideSpace))
    space = make_space(data, WideSpace, limits=Limits((Limit("max-parameters", 50_000, table),)))
    found = starts(data, space)
    assert list(found.designs) == ["stacked", "parallel", "edcn", "finalmlp"]
    assert "max-parameters allows 50,000" in found.left_out["fnn"]
    one_level = starts(data, make_space(data, WideSpace, levels=1))
    assert one_level.left_out["finalmlp"] == "no design of this space"
    assert set(one_level.details()) == {"starts", "starts_left_out"}


def test_a_start_is_known_by_its_design_and_its_place() -> None:
    design = FusionDesign.build(1, [("embedding", "output")], "add")
    found = Starts({"one": design})
    assert found.name_of(design, 0) == "one"
    assert found.name_of(design, 1) is None, "found again by the search itself"
    assert found.name_of(design.changed(operations={"output": "concat"}), 0) is None


def test_designs_that_compute_the_same_are_one_start(data: SearchData) -> None:
    """At one level the tower of deep blocks is FNN's, and nothing else is merged by another operation."""
    names = starts(data, make_space(data, FusionSpace, levels=1), start_from="handmade").designs
    assert len({design.pruned() for design in names.values()}) == len(names)
