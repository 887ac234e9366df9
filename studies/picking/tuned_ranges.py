"""What `fit` tunes of a strategy: what a recipe's sweep may choose, over the same ranges, and what its entry offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution

from nas_fusion.settings import ComparisonSettings
from nas_fusion.studies.recipe.swept_values import STARTS, SweptValues
from nas_fusion.studies.setup.assembly import Assembly


@dataclass(frozen=True)
class TunedRanges:
    """What is tuned of one strategy.

    Args:
        distributions: name → where it may lie.
        defaults: what the first trial tries.
        starts: what is tried behind it.
    """

    distributions: Mapping[str, BaseDistribution]
    defaults: Mapping[str, Any]
    starts: tuple[Mapping[str, Any], ...]


def tuned_ranges(
    assembly: Assembly, asked: ComparisonSettings, strategy: str, fits: Callable[[int], bool]
) -> TunedRanges:
    """What is tuned of a strategy; nothing that the user has fixed.

    A search's own parameters are not tuned, since each value would cost a search: its design stays as it was found, and
    how that is trained is tuned.

    Args:
        assembly: by the chosen recipe.
        asked: the settings before there was a recipe, which say what is fixed.
        strategy: one of the assembly's.
        fits: whether models with embeddings of a width fit the machine.
    """
    hyperparameters, entry = assembly.hyperparameters[strategy], assembly.entries[strategy]
    rows, starts = len(assembly.dataset.train), list(entry.starts)
    given = set(hyperparameters.own())
    own = entry.distributions() if entry.kind == "reference" else {}
    ranges = {name: where for name, where in own.items() if name not in given}
    if entry.fit_model is None:
        free = SweptValues(asked, rows).names if asked.recipe.choice == "auto" else ()
        swept = SweptValues(assembly.settings, rows, fits)
        every, possible = swept.ranges(swept.widths()), hyperparameters.distributions()
        ranges |= {name: every[name] for name in free if name in possible and name not in own}
        starts += STARTS
    defaults = {name: value for name, value in hyperparameters.defaults().items() if name in ranges}
    return TunedRanges(ranges, defaults, _complete(starts, ranges, defaults))


def _complete(
    starts: list[Mapping[str, Any]], ranges: Mapping[str, BaseDistribution], defaults: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Starts with a value for everything that is tuned, each of them once, the defaults not among them."""
    found: list[Mapping[str, Any]] = []
    for start in starts:
        values = dict(defaults) | {name: value for name, value in start.items() if _is_inside(ranges, name, value)}
        if values != defaults and values not in found:
            found.append(values)
    return tuple(found)


def _is_inside(ranges: Mapping[str, BaseDistribution], name: str, value: object) -> bool:
    where = ranges.get(name)
    return where is not None and where._contains(where.to_internal_repr(value))
