"""Abilities: taken up whole, or refused with the name of what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from nas_fusion.baselines import FusionDARTS, FusionRandomOneShot
from nas_fusion.errors import OptionError
from nas_fusion.nni_bridge import BaseSuperNetModule, learners
from nas_fusion.optfusion import OptFusion
from nas_fusion.search import SearchTask, run_search
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.strategy.abilities import (
    ABILITIES,
    ClosesByMeasure,
    CountsDeriving,
    HearsValidations,
    LeavesSoftStart,
    MeasuresChoices,
    PrefersSmall,
    RanksDesigns,
    RefinesDesigns,
    SharesBudget,
    check_abilities,
)
from nas_fusion.testing import tiny_data, tiny_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SearchTask:
    return tiny_task(tiny_data(tmp_path_factory.mktemp("nas-fusion")))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (
            OptFusion(),
            {
                SharesBudget,
                HearsValidations,
                PrefersSmall,
                ClosesByMeasure,
                MeasuresChoices,
                LeavesSoftStart,
                RefinesDesigns,
            },
        ),
        (FusionRandomOneShot(2, 0), {SharesBudget, RanksDesigns}),
        (FusionDARTS(0.1), {MeasuresChoices}),
    ],
)
def test_what_ours_can_do(strategy: Any, expected: set[type]) -> None:
    check_abilities(strategy, "ours")
    assert {ability for ability in ABILITIES if isinstance(strategy, ability)} == expected


def with_members(**members: Any) -> Any:
    return type("Mine", (), members)()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"derive_passes": 3}, r"SharesBudget of strategy mine must be whole \(.*\), got 'no training_samples'"),
        ({"training_seconds": lambda self, left: left}, "SharesBudget of strategy mine .* got 'no derive_passes'"),
        ({"refinement": 4, "proposed_share": 0.5}, "RefinesDesigns of strategy mine .* got 'no proposals'"),
        ({"proposals": lambda self, designs, rng: []}, "RefinesDesigns of strategy mine .* got 'no refinement'"),
        ({"soft_start": {}}, "LeavesSoftStart of strategy mine .* got 'a soft_start that is no method'"),
    ],
)
def test_half_of_an_ability_is_refused(members: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        check_abilities(with_members(**members), "mine")


def test_abilities_of_one_attribute() -> None:
    assert isinstance(with_members(ranking=[]), RanksDesigns)
    assert isinstance(with_members(derive_samples=1), CountsDeriving)


class Careless(FusionDARTS):
    """Means to leave time for deriving, and forgets the rest."""

    derive_passes = 3


def test_a_search_refuses_before_it_trains(task: SearchTask) -> None:
    entry = StrategyEntry("careless", "one-shot", "", lambda context: Careless(0.1))
    with pytest.raises(OptionError, match="SharesBudget of strategy careless"):
        run_search(entry, task)


def test_a_soft_entry_whose_strategy_leaves_nothing_is_refused_before_it_trains(task: SearchTask) -> None:
    soft = STRATEGIES.get("optfusion-soft")
    entry = replace(soft, name="mine", build=lambda context, **parameters: FusionDARTS(0.1))
    with pytest.raises(OptionError, match=r"strategy of mine, which is soft, must be one with soft_start\(\)"):
        run_search(entry, task)


def test_what_is_left_has_to_be_a_soft_start(task: SearchTask) -> None:
    class Plain(OptFusion):
        def soft_start(self) -> Any:
            return {"weights": {}}

    entry = replace(STRATEGIES.get("optfusion-soft"), name="mine", build=lambda context, **parameters: Plain())
    with pytest.raises(OptionError, match=r"soft_start\(\) of mine must be a SoftStart, got 'dict'"):
        run_search(entry, task)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "one-shot", "mode": "soft"}, "make_soft_model of mine must be given for mode 'soft'"),
        (
            {"kind": "one-shot", "make_soft_model": lambda space, design, start: space},
            "make_soft_model of mine must be None for mode 'hard'",
        ),
        (
            {"kind": "multi-trial", "mode": "soft", "make_soft_model": lambda space, design, start: space},
            "mode must be 'hard' for a strategy that is multi-trial",
        ),
    ],
)
def test_an_entry_is_soft_with_a_soft_model_and_one_shot(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        StrategyEntry(name="mine", summary="", build=OptFusion, **options)


def test_a_module_that_learns_and_does_not_say_what() -> None:
    class Half(BaseSuperNetModule):
        def arch_parameters(self) -> Iterator[nn.Parameter]:
            yield from ()

    with pytest.raises(OptionError, match=r"LearnsArchitecture of Half .* got 'no export_probs'"):
        list(learners(nn.ModuleList([Half()])))
