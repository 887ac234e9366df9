"""The published contract on a space whose blocks have variants: for one strategy of every way to search."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from nas_fusion.architecture import Found
from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.search import SearchOutcome, SearchTask
from nas_fusion.search_spaces import FusionSpace, WideSpace
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.testing import StrategyContract, tiny_data, tiny_task
from nas_fusion.testing.contract import SEED

pytestmark = pytest.mark.slow

SEARCHES = ["evolution-asha", "tpe", "optfusion", "optfusion-soft", "optfusion-refined", "darts", "random-oneshot"]
"""Candidates drawn, changed and modelled; gates, a soft model, designs that are refined; a mixture; paths. Others
search by the code of one of these."""


def wide_space(data: SearchData) -> FusionSpace:
    return WideSpace.for_schema(data.schema, levels=1, emb_dim=2)


@pytest.fixture(scope="module")
def small_log(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("nas-fusion"))


class TestEveryStrategyOnTheWideSpace(StrategyContract):
    """But for the fresh process, which makes the small space."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, small_log: SearchData) -> SearchData:
        return small_log

    @pytest.fixture(scope="class", params=SEARCHES)
    @classmethod
    def entry(cls, request: pytest.FixtureRequest) -> StrategyEntry:
        return STRATEGIES.get(request.param)

    @pytest.fixture(scope="class")
    @classmethod
    def task(cls, data: SearchData) -> SearchTask:
        task = tiny_task(data, seed=SEED)
        # From nothing: the hand-made designs would take all of its candidates.
        return replace(task, make_space=partial(wide_space, data), start_from="nothing")

    @pytest.fixture(scope="class")
    @classmethod
    def fresh_design(cls, outcome: SearchOutcome) -> Found:
        return outcome.design

    def test_the_design_says_what_stands_in_its_blocks_places(self, outcome: SearchOutcome) -> None:
        assert isinstance(outcome.design, FusionDesign)
        assert dict(outcome.design.variants).keys() == {"cross0", "cross1", "deep1"}
