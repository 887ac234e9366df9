"""What tuning may change: the recipe's and the model's hyperparameters, the same for all, and a strategy's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from nas_fusion.bounds import BATCH_SIZE, EMB_DIM, LEARNING_RATE
from nas_fusion.errors import OptionError
from nas_fusion.settings import ComparisonSettings
from nas_fusion.strategy import StrategyEntry

_RECIPE = ("learning_rate", "embedding_l2", "network_l2", "batch_size")
_MODEL = ("dropout", "batch_norm", "emb_dim")
_EMBEDDING_L2 = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 1.0)
"""Logs of ids want more than one would think: BARS's .05 on frappe, .2 on MovieLens-100k."""

_NETWORK_L2 = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
_DROPOUT = (0.0, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of one strategy in one comparison.

    Every strategy may tune learning rate, L2 of both groups, batch size, dropout, batch norm and embedding width, over
    the same ranges around the comparison's own values, and in addition what its entry's `distributions` offer. A
    strategy whose models are not the space's may have a dropout and a batch norm of its own, which then take the place
    of the space's.

    Args:
        settings: the comparison's.
        entry: the strategy.
        train_rows: of the log, on which the automatic batch size depends; without them the batch size is not tuned.

    Raises:
        OptionError: the entry offers a name that the recipe has, or one that is no parameter of it; or the comparison
            sets a parameter that the strategy has not.
    """

    settings: ComparisonSettings
    entry: StrategyEntry
    train_rows: int = 0

    def __post_init__(self) -> None:
        for name in self.entry.distributions():
            if name in self._common() or name not in self.entry.parameters:
                raise OptionError(
                    f"distributions of {self.entry.name}", "names of its parameters, none of them the recipe's", name
                )

        self.entry.with_parameters(self.own())

    def own(self) -> dict[str, Any]:
        """The strategy's own parameters that the comparison sets."""
        given = self.settings.parameters
        return {**given.get(self.entry.search_name, {}), **given.get(self.entry.name, {})}

    @property
    def shares_search(self) -> bool:
        """Whether another strategy's search serves this one: it has no other parameters than that one."""
        shared = self.settings.parameters.get(self.entry.search_name, {})
        return self.entry.shares_search_with is not None and self.own() == dict(shared)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Name → where it may lie; the comparison's own values are inside."""
        return {**self.entry.distributions(), **self._common()}

    def defaults(self) -> dict[str, Any]:
        """What is used without tuning."""
        recipe = {name: getattr(self.settings.recipe, name) for name in _RECIPE}
        recipe["batch_size"] = self.settings.batch_size(self.train_rows)
        chosen = self.entry.with_parameters(self.own())
        own = {name: chosen[name] for name in self.entry.distributions()}
        ours = self.settings.model
        model = {"dropout": ours.dropout, "batch_norm": ours.batch_norm, "emb_dim": self.settings.emb_dim}
        common = {**recipe, **model}
        return {**own, **{name: common[name] for name in self._common()}}

    def apply(self, values: Mapping[str, Any]) -> tuple[ComparisonSettings, dict[str, Any]]:
        """The comparison with tuned values, and the parameters for the strategy that differ from its defaults.

        A re-training's own learning rate keeps its ratio to a tuned one.

        Raises:
            OptionError: a name is unknown.
        """
        unknown = set(values) - set(self.distributions())
        if unknown:
            raise OptionError("hyperparameter", f"one of {', '.join(self.distributions())}", sorted(unknown)[0])
        common = self._common()
        recipe = {name: value for name, value in values.items() if name in _RECIPE}
        model = {name: value for name, value in values.items() if name in _MODEL and name in common}
        ours = self.settings.recipe
        if "learning_rate" in recipe:
            factor = recipe["learning_rate"] / ours.learning_rate
            recipe["retrain_learning_rate"] = ours.retrain_learning_rate * factor
        tuned = replace(self.settings, recipe=replace(ours, **recipe), model=replace(self.settings.model, **model))
        return tuned, self.own() | {name: value for name, value in values.items() if name not in {**recipe, **model}}

    def _common(self) -> dict[str, BaseDistribution]:
        if self.entry.fit_model is not None:  # no network, so no recipe
            return {}
        recipe, width = self.settings.recipe, self.settings.emb_dim
        rate = recipe.learning_rate
        common: dict[str, BaseDistribution] = {
            "learning_rate": FloatDistribution(rate / 10, min(rate * 10, LEARNING_RATE.high), log=True),
            "embedding_l2": _choices(_EMBEDDING_L2, recipe.embedding_l2),
            "network_l2": _choices(_NETWORK_L2, recipe.network_l2),
            "batch_norm": CategoricalDistribution((False, True)),
            "dropout": _choices(_DROPOUT, self.settings.model.dropout),
            "emb_dim": _choices((max(2, width // 2), min(width * 2, int(EMB_DIM.high))), width),
        }
        if self.train_rows:
            size = self.settings.batch_size(self.train_rows)
            common["batch_size"] = _choices((max(1, size // 2), min(size * 2, int(BATCH_SIZE.high))), size)
        for name in ("dropout", "batch_norm"):
            if self.entry.has_own_space and name in self.entry.parameters:
                del common[name]
        return common


@dataclass(frozen=True)
class TuningResult:
    """How a tuning ended.

    Args:
        values: of the best trial.
        valid_auc: of the best trial, after re-training; the largest of many, so an optimistic number.
        default_valid_auc: of the defaults, tried in the same way; None if they could not be trained.
        trials, pruned, failed: how many in all, stopped early, failed.
        seconds, samples: spent by all trials; a pruned trial's samples are those of its finished trainings.
    """

    values: Mapping[str, Any]
    valid_auc: float
    default_valid_auc: float | None
    trials: int
    pruned: int
    failed: int
    seconds: float
    samples: int


def check_parameter_names(settings: ComparisonSettings, entries: Iterable[StrategyEntry]) -> None:
    """Refuse parameters of strategies that do not take part.

    Raises:
        OptionError: there are some.
    """
    chosen = list(entries)
    used = {name for entry in chosen for name in (entry.name, entry.search_name)}
    for name in sorted(set(settings.parameters) - used):
        raise OptionError("parameters", f"those of {', '.join(entry.name for entry in chosen)}", name)


def _choices(values: tuple[float, ...], own: float) -> CategoricalDistribution:
    return CategoricalDistribution(sorted({*values, own}))
