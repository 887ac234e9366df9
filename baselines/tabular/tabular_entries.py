"""The entries of what one would pick instead in the registry of strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from nas_fusion.architecture import Architecture
from nas_fusion.baselines.tabular.boosted_trees import (
    CATBOOST,
    LIGHTGBM,
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
PENALTY = Bound(0, 1e9, integer=False)
SHARE = Bound(0, 1, integer=False, above=True)

BOUNDS: Mapping[str, Rule] = {
    "strength": Bound(0, 1e9, integer=False),
    "max_iter": ROUNDS,
    "numbers": ("auto", *NUMBERS),
    "rounds": ROUNDS,
    "learning_rate": RATE,
    "num_leaves": Bound(2, 131_072),
    "min_data_in_leaf": Bound(1, 1_000_000_000),
    "depth": Bound(1, 16),
    "lambda_l2": PENALTY,
    "feature_fraction": SHARE,
    "bagging_fraction": SHARE,
    "cat_smooth": PENALTY,
    "cat_l2": PENALTY,
    "l2_leaf_reg": PENALTY,
    "random_strength": PENALTY,
    "subsample": SHARE,
    "rsm": SHARE,
    "one_hot_max_size": Bound(2, 255),
    "max_ctr_complexity": Bound(0, 8),
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
    starts: tuple[Mapping[str, Any], ...] = (),
) -> StrategyEntry:
    return StrategyEntry(
        name=name,
        kind="reference",
        summary=summary,
        build=partial(_architecture, name),
        parameters=parameters,
        bounds={parameter: BOUNDS[parameter] for parameter in parameters},
        distributions=distributions,
        starts=starts,
        ends_in_time=bool(starts),
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
        "lambda_l2": FloatDistribution(0.0, 20.0),
        "feature_fraction": FloatDistribution(0.3, 1.0),
        "bagging_fraction": FloatDistribution(0.5, 1.0),
        "cat_smooth": FloatDistribution(1.0, 300.0, log=True),
        "cat_l2": FloatDistribution(1.0, 300.0, log=True),
    }


def _depth() -> Mapping[str, BaseDistribution]:
    return {
        "depth": IntDistribution(3, 10),
        "learning_rate": FloatDistribution(0.0, 0.3, step=0.01),  # 0: CatBoost's own choice
        "l2_leaf_reg": FloatDistribution(1.0, 100.0, log=True),
        "random_strength": FloatDistribution(0.1, 10.0, log=True),
        "subsample": FloatDistribution(0.5, 1.0),
        "rsm": FloatDistribution(0.3, 1.0),
        "one_hot_max_size": IntDistribution(2, 255, log=True),
        "max_ctr_complexity": IntDistribution(0, 4),  # 0: its own choice
    }


LIGHTGBM_STARTS: tuple[Mapping[str, Any], ...] = (
    {
        "learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 50, "lambda_l2": 2.0,
        "feature_fraction": 0.6, "bagging_fraction": 0.8, "cat_smooth": 100.0, "cat_l2": 30.0,
    },
    {"learning_rate": 0.05, "num_leaves": 7, "feature_fraction": 0.5, "bagging_fraction": 0.8, "cat_smooth": 30.0},
    {
        "learning_rate": 0.05, "num_leaves": 63, "min_data_in_leaf": 100, "lambda_l2": 5.0,
        "feature_fraction": 0.7, "bagging_fraction": 0.8, "cat_smooth": 30.0,
    },
)  # fmt: skip
CATBOOST_STARTS: tuple[Mapping[str, Any], ...] = (
    {"depth": 6, "learning_rate": 0.05, "l2_leaf_reg": 10.0, "rsm": 0.6, "max_ctr_complexity": 1},
    {"depth": 4, "learning_rate": 0.05, "l2_leaf_reg": 10.0, "rsm": 0.6},
    {"depth": 8, "learning_rate": 0.03, "l2_leaf_reg": 30.0, "one_hot_max_size": 32, "max_ctr_complexity": 2},
)
"""From careful to daring: what practitioners begin with on logs of many rare categories."""

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
        {"rounds": 1000, "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 20, **LIGHTGBM},
        _leaves,
        starts=LIGHTGBM_STARTS,
        in_all=is_installed("lightgbm"),
    ),
    _entry(
        "catboost",
        "gradient-boosted trees (Prokhorenkova et al., NeurIPS 2018); extra: trees",
        fit_catboost,
        open_catboost,
        {"rounds": 1000, "learning_rate": 0.0, "depth": 6, **CATBOOST},
        _depth,
        starts=CATBOOST_STARTS,
        in_all=is_installed("catboost"),
    ),
)
"""In the order in which tables list them: the simplest first."""
