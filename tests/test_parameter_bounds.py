"""What parameters of strategies may be: for ``--set``, presets and Python alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError
from nas_fusion.strategy import STRATEGIES, StrategyEntry


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("optfusion-hard.arch_learning_rate", 0, "a number above 0, at most 10,000"),
        ("optfusion-hard.arch_learning_rate", float("nan"), "a number above 0"),
        ("optfusion-hard.arch_learning_rate", "fast", "a number above 0"),
        ("optfusion-soft.gate_start", -1, "a number above 0, at most 1,000"),
        ("optfusion-refined.candidates", 2.5, "an integer from 0 to 10,000"),
        ("optfusion-refined.warm_up", 2, "a number from 0 to 1"),
        ("evolution.population", 10**20, "an integer from 1 to 100,000"),
        ("evolution.crossover", 1, "true or false"),
        ("evolution.tournament", None, "a number above 0, at most 1"),
        ("tpe.startup_share", [0.5], "a number from 0 to 1"),
        ("gumbel-darts.temperature_end", float("inf"), "a number above 0"),
        ("random-oneshot.designs", True, "an integer from 1"),
        ("autoctr.blocks", 65, "an integer from 1 to 64"),
        ("nasrec.blocks", 0, "an integer from 1 to 64"),
        ("fnn.hidden_width", 10**9, "an integer from 1 to 16,384"),
        ("fnn.hidden_layers", -1, "an integer from 0 to 64"),
        ("fnn.dropout", 1, "a number from 0 to 0.99"),
        ("fnn.batch_norm", "yes", "true or false"),
        ("dcnv2-stacked.rank", 0, "an integer from 1 to 16,384, or null"),
        ("edcn.bridge", "max", "one of add, product, concat, attention"),
        ("finalmlp.first_context", 3, "a list"),
    ],
)
def test_a_value_that_is_not_allowed(name: str, value: object, expected: str) -> None:
    strategy, _, parameter = name.partition(".")
    with pytest.raises(OptionError) as caught:
        STRATEGIES.get(strategy).with_parameters({parameter: value})
    assert str(caught.value).startswith(f"{name} must be {expected}")


def test_every_default_and_every_end_of_a_distribution_is_allowed() -> None:
    for _, entry in STRATEGIES:
        entry.with_parameters(entry.parameters)
        for name, where in entry.distributions().items():
            for value in [getattr(where, "low", None), getattr(where, "high", None), *getattr(where, "choices", ())]:
                if value is not None:
                    entry.with_parameters({name: value})


def test_none_is_allowed_where_it_means_something() -> None:
    assert STRATEGIES.get("dcnv2-parallel").with_parameters({"rank": None})["rank"] is None


def test_a_plugin_without_bounds_takes_values_of_its_defaults_types() -> None:
    defaults = {"count": 3, "share": 0.5, "word": "a", "on": False, "any": None}
    entry = StrategyEntry("mine", "multi-trial", "", lambda context: None, parameters=defaults)
    chosen = entry.with_parameters({"count": -4, "share": 1, "word": "b", "on": True, "any": [1]})
    assert chosen == {"count": -4, "share": 1, "word": "b", "on": True, "any": [1]}
    for name, value in {"count": 0.5, "share": "x", "word": "", "on": 1}.items():
        with pytest.raises(OptionError, match=rf"mine\.{name} must be "):
            entry.with_parameters({name: value})


def test_a_plugin_s_own_bounds() -> None:
    entry = StrategyEntry(
        "mine",
        "multi-trial",
        "",
        lambda context: None,
        parameters={"count": 3, "way": "up"},
        bounds={"count": Bound(1, 4), "way": ("up", "down")},
    )
    entry.with_parameters({"count": 4, "way": "down"})
    with pytest.raises(OptionError, match=r"mine\.count must be an integer from 1 to 4, got 5"):
        entry.with_parameters({"count": 5})
    with pytest.raises(OptionError, match=r"mine\.way must be one of up, down, got 'left'"):
        entry.with_parameters({"way": "left"})


def test_the_page_of_the_settings_names_every_bound() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "settings.md").read_text("utf-8")
    found = [bound for name, bound in vars(bounds).items() if isinstance(bound, Bound) and not name.startswith("ANY_")]
    assert len(found) > 15
    for bound in found:
        if bound not in (bounds.SHARE, bounds.PROCESSES, bounds.THREADS, bounds.PORT):
            assert bound.range.removesuffix(f" ({bound.note})") in page
