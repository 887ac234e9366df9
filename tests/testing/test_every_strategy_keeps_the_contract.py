"""The published contract, for every registered strategy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas_fusion.architecture import Found, found_from_json
from nas_fusion.data import SearchData
from nas_fusion.search import SearchOutcome, run_search
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.testing import StrategyContract, resolve_entry, tiny_data, tiny_task
from nas_fusion.testing.contract import SEED
from tests.command_process import CommandProcess

pytestmark = pytest.mark.slow

BUILT_IN = [
    "optfusion-hard",
    "optfusion-soft",
    "optfusion-connections",
    "optfusion-operations",
    "optfusion-refined",
    "random",
    "evolution",
    "tpe",
    "asha",
    "evolution-asha",
    "tpe-asha",
    "darts",
    "gumbel-darts",
    "random-oneshot",
    "autoctr",
    "nasrec",
    "grid",
    "stacked",
    "parallel",
    "fnn",
    "wide-deep",
    "ipnn",
    "deepfm",
    "dcn",
    "xdeepfm",
    "dcnv2-stacked",
    "dcnv2-parallel",
    "edcn",
    "finalmlp",
    "logistic-regression",
    "lightgbm",
    "catboost",
]


FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SEARCHES = "from nas_fusion.testing.__main__ import main; main()"
HASH_DEPENDENT = "hash_dependent:ENTRY"


@pytest.fixture(scope="module")
def fresh_designs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Found]]:
    names = [*STRATEGIES.names(), HASH_DEPENDENT]
    folder = tmp_path_factory.mktemp("fresh")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FIXTURES)
        fresh = CommandProcess(["--seed", str(SEED), *names], folder, path=str(FIXTURES), code=SEARCHES)
        assert fresh.wait() == 0, fresh.said()
        yield {name: found_from_json(text) for name, text in json.loads(fresh.stdout.splitlines()[-1]).items()}


@pytest.fixture(scope="module")
def small_log(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("nas-fusion"))


class TestEveryStrategy(StrategyContract):
    """One fresh process for all of them; `test_strategy_from_another_package.py` has the published one."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, small_log: SearchData) -> SearchData:
        return small_log

    @pytest.fixture(scope="class", params=STRATEGIES.names())
    @classmethod
    def entry(cls, request: pytest.FixtureRequest) -> StrategyEntry:
        return STRATEGIES.get(request.param)

    @pytest.fixture(scope="class")
    @classmethod
    def fresh_design(cls, entry: StrategyEntry, fresh_designs: dict[str, Found]) -> Found:
        return fresh_designs[entry.name]

    def test_a_fresh_process_finds_the_same_design(self, fresh_design: Found, outcome: SearchOutcome) -> None:
        super().test_a_fresh_process_finds_the_same_design(fresh_design, outcome)


def test_nothing_built_in_is_left_out() -> None:
    assert set(BUILT_IN) <= set(STRATEGIES.names())


def test_a_design_that_depends_on_the_hash_seed_is_caught(
    fresh_designs: dict[str, Found], small_log: SearchData
) -> None:
    outcome = run_search(resolve_entry(HASH_DEPENDENT), tiny_task(small_log, seed=SEED))
    with pytest.raises(AssertionError):
        StrategyContract().test_a_fresh_process_finds_the_same_design(fresh_designs[HASH_DEPENDENT], outcome)
