"""How much a sweep may cost: a part of what its comparison costs at least."""

from __future__ import annotations

from collections.abc import Iterable

from nas_fusion.budget import Budget
from nas_fusion.settings import ComparisonSettings
from nas_fusion.strategy import StrategyEntry

SHARE = 0.1
"""Of the comparison's passes over the training rows."""

FEWEST = 8.0
"""Passes: with fewer, hardly more than the usual recipe could be tried."""

MOST = 60.0
"""Passes: by then a sweep has tried all that it knows and some ten proposals more."""


def comparison_passes(settings: ComparisonSettings, entries: Iterable[StrategyEntry], train_rows: int) -> float:
    """Passes over the training rows that a comparison makes at the least.

    A search spends its budget (one in seconds counts as nothing, since nobody knows how many passes that will be). A
    re-training makes as many passes as it takes to see that there is no better epoch; boosted trees and the like, which
    the recipe is not for, count as nothing.

    Args:
        settings: of the comparison.
        entries: its strategies.
        train_rows: of the log.
    """
    chosen = list(entries)
    recipe = settings.recipe
    retrain = _epochs(recipe.patience, recipe.retrain_epochs)
    budget = (Budget.parse(settings.budget, train_rows).samples or 0) / train_rows
    # Strategies that are tuned search for themselves.
    searches = {e.name if settings.tune else e.search_name: e for e in chosen if e.kind != "reference"}
    searched = sum(_epochs(entry.patience, budget) for entry in searches.values())
    retrained = sum(entry.fit_model is None for entry in chosen)
    cells, trials = len(settings.seeds), settings.tune
    trained = (cells * settings.members(train_rows) + trials) * retrained * retrain
    return (cells + trials) * searched + trained


def _epochs(patience: int, most: float) -> float:
    """How many epochs a training takes at the least, which stops after so many without a gain; 0: never."""
    return min(most, patience + 1) if patience else most


def allowed_passes(settings: ComparisonSettings, entries: Iterable[StrategyEntry], train_rows: int) -> float:
    """Passes over the training rows that a sweep may make."""
    given = settings.recipe.sweep_passes
    return given or min(SHARE * comparison_passes(settings, entries, train_rows), MOST)


def too_few(settings: ComparisonSettings, allowed: float) -> str:
    """Why there is no sweep; empty if there is one. What the user has said to be enough is enough."""
    if settings.recipe.sweep_passes or allowed >= FEWEST:
        return ""
    return (
        f"a tenth of this comparison is {allowed:.1f} passes over the training rows, too few to choose a recipe by "
        f"({FEWEST:g} at least), so the usual one is taken; more seeds or strategies, or --recipe-passes, would do"
    )
