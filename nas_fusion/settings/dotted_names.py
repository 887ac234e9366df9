"""Settings by dotted name, as presets and files of designs have them: ``recipe.learning_rate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from nas_fusion.settings.comparison_settings import ComparisonSettings
from nas_fusion.settings.data_options import DataOptions
from nas_fusion.settings.limit_settings import LimitSettings
from nas_fusion.settings.model_settings import ModelSettings
from nas_fusion.settings.option import DataclassInstance, Option, options_of
from nas_fusion.settings.recipe_settings import SWEPT, RecipeSettings

SECTIONS: Mapping[str, type[DataclassInstance]] = MappingProxyType(
    {"data": DataOptions, "model": ModelSettings, "recipe": RecipeSettings, "limits": LimitSettings}
)
"""Fields of `ComparisonSettings` that are dataclasses themselves: tables of ``study.toml`` and of presets."""


QUICK: Mapping[str, object] = MappingProxyType(
    {
        "budget": "2x",
        "candidates": 4,
        "recipe.choice": "defaults",
        "recipe.retrain_epochs": 6,
        "anytime_test": False,
        "importance": False,
    }
)
"""What `--quick` sets where the user says nothing else: the same small budget for every strategy, no sweep of the
recipe, short re-trainings."""

QUICK_SEEDS = 1
"""Of a comparison with `--quick`, where the user says nothing else."""


def setting_names() -> tuple[str, ...]:
    """Every setting of a comparison, those of its sections by dotted name."""
    return tuple(
        name
        for one in fields(ComparisonSettings)
        for name in (
            (f"{one.name}.{inner.name}" for inner in fields(SECTIONS[one.name]))
            if one.name in SECTIONS
            else (one.name,)
        )
    )


def dotted_options() -> Mapping[str, tuple[type[DataclassInstance], str, Option]]:
    """Dotted name → dataclass, field and option of every setting that is an option; data, model and recipe first."""
    found: dict[str, tuple[type[DataclassInstance], str, Option]] = {}
    for section, kind in SECTIONS.items():
        found.update({f"{section}.{name}": (kind, name, option) for name, option in options_of(kind).items()})
    own = options_of(ComparisonSettings)
    return {**found, **{name: (ComparisonSettings, name, option) for name, option in own.items()}}


def flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name.

    Args:
        content: nested as in ``study.toml``.
    """
    found: dict[str, Any] = {}
    for key, value in content.items():
        if key in SECTIONS and isinstance(value, dict):
            found.update((f"{key}.{inner}", v) for inner, v in value.items())
        else:
            found[key] = value
    return found


def settings_from(
    values: Mapping[str, object],
    *,
    source: str,
    strategies: tuple[str, ...],
    seeds: tuple[int, ...] = ComparisonSettings.seeds,
    parameters: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
) -> ComparisonSettings:
    """The settings that dotted names say; others have their defaults, or are left to a sweep (``recipe.choice``).

    Args:
        values: by dotted name.
        source: the log.
        strategies: names of the entries.
        seeds: one cell per strategy and seed.
        parameters: strategy → its own parameters.

    Raises:
        OptionError: a value is not allowed.
        TypeError: there is no such setting.
    """
    values = _with_kept(values)
    plain: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for section, kind in SECTIONS.items():
        prefix = f"{section}."
        plain[section] = kind(**{n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)})
    plain.update(source=source, strategies=strategies, seeds=seeds, parameters=dict(parameters))
    return ComparisonSettings(**plain)


def _with_kept(values: Mapping[str, object]) -> Mapping[str, object]:
    """What was given is kept by a sweep, also where it equals the default."""
    if values.get("recipe.choice", RecipeSettings.choice) != "auto" or "recipe.kept" in values:
        return values
    return {**values, "recipe.kept": tuple(name for name in SWEPT if name in values)}


def quick_settings(settings: ComparisonSettings) -> ComparisonSettings:
    """A comparison with everything that `--quick` sets (`QUICK`, and `QUICK_SEEDS`).

    Args:
        settings: of the comparison without it.
    """
    changed: dict[str, Any] = {name: value for name, value in QUICK.items() if "." not in name}
    recipe: dict[str, Any] = {name.partition(".")[2]: value for name, value in QUICK.items() if "." in name}
    changed["recipe"] = replace(settings.recipe, **recipe)
    return replace(settings, **changed, seeds=settings.seeds[:QUICK_SEEDS])
