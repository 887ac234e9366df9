"""The entries of what one would pick instead in the registry of strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from nas_fusion.architecture import Architecture
from nas_fusion.baselines.tabular.boosted_trees import (
    fit_catboost,
    fit_lightgbm,
    is_installed,
    open_catboost,
    open_lightgbm,
)
from nas_fusion.baselines.tabular.logistic_regression import (
    NUMBERS,
    fit_logistic_regression,
    open_logistic_regression,
)
from nas_fusion.bounds import Bound, Rule
from nas_fusion.strategy import BuildContext, StrategyEntry, WholeFit, WholeOpening

RATE = Bound(0, 1, integer=False)
ROUNDS = Bound(1, 100_000)

BOUNDS: Mapping[str, Rule] = {
    "strength": Bound(0, 1e9, integer=False),
    "max_iter": ROUNDS,
    "numbers": ("auto", *NUMBERS),
    "rounds": ROUNDS,
    "learning_rate": RATE,
    "num_leaves": Bound(2, 131_072),
    "min_data_in_leaf": Bound(1, 1_000_000_000),
    "depth": Bound(1, 16),
}
"""What the libraries allow."""


def _architecture(name: str, context: BuildContext, **parameters: Any) -> Architecture:
    words = ", ".join(f"{parameter} {value}" for parameter, value in parameters.items())
    return Architecture.build(name, parameters, f"{name}: {words}")


def _entry(
    name: str,
    summary: str,
    fit: WholeFit,
    reopen: WholeOpening,
    parameters: Mapping[str, Any],
    distributions: Callable[[], Mapping[str, BaseDistribution]],
    *,
    in_all: bool = True,
) -> StrategyEntry:
    return StrategyEntry(
        name=name,
        kind="reference",
        summary=summary,
        build=partial(_architecture, name),
        parameters=parameters,
        bounds={parameter: BOUNDS[parameter] for parameter in parameters},
        distributions=distributions,
        in_all=in_all,
        fit_model=fit,
        open_model=reopen,
    )


def _strength() -> Mapping[str, BaseDistribution]:
    return {"strength": FloatDistribution(0.0, 10.0)}


def _leaves() -> Mapping[str, BaseDistribution]:
    return {
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "num_leaves": IntDistribution(4, 256, log=True),
        "min_data_in_leaf": IntDistribution(1, 200, log=True),
    }


def _depth() -> Mapping[str, BaseDistribution]:
    return {"depth": IntDistribution(3, 10), "learning_rate": FloatDistribution(0.0, 0.3)}


TABULAR_ENTRIES = (
    _entry(
        "logistic-regression",
        "one-hot categories and standardised numbers, scikit-learn",
        fit_logistic_regression,
        open_logistic_regression,
        {"strength": 0.0, "numbers": "auto", "max_iter": 300},
        _strength,
    ),
    _entry(
        "lightgbm",
        "gradient-boosted trees (Ke et al., NeurIPS 2017); extra: trees",
        fit_lightgbm,
        open_lightgbm,
        {"rounds": 1000, "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 20},
        _leaves,
        in_all=is_installed("lightgbm"),
    ),
    _entry(
        "catboost",
        "gradient-boosted trees (Prokhorenkova et al., NeurIPS 2018); extra: trees",
        fit_catboost,
        open_catboost,
        {"rounds": 1000, "learning_rate": 0.0, "depth": 6},
        _depth,
        in_all=is_installed("catboost"),
    ),
)
"""In the order in which tables list them: the simplest first."""
