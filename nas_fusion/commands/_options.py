"""What the user of a command asked for: options, the preset behind them, parameters of strategies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.strategy import STRATEGIES, select_strategies
from nas_fusion.studies import Preset, is_built_in, load_preset

Options = Mapping[str, Any]

SET_FORM = "STRATEGY.PARAMETER=VALUE"
BUILT_IN = "built-in"
"""The preset of the built-in log, which is to be quick on a laptop."""

PRESET_PARAMETERS = "preset_parameters"
"""Where `with_preset` puts the preset's parameters of strategies."""

_NAMES = {
    "recipe.learning_rate": "lr",
    "recipe.retrain_learning_rate": "retrain_lr",
    "recipe.soft_learning_rate": "soft_lr",
    "recipe.retrain_epochs": "epochs",
    "limits.parameters": "max_parameters",
    "limits.multiply_adds": "max_multiply_adds",
    "limits.latency_ms": "max_latency",
}
"""Options that are not called like the setting."""

PRESET_DATA = "preset_data"
"""Where the settings of `DataOptions` go that no option can set."""

_DATA_ONLY = ("data.seed", "data.vocabulary_rows", "data.reproduce_criteo_buckets", "data.fields")
"""Which they are."""


def with_preset(options: Options) -> dict[str, Any]:
    """The options, with the preset's values wherever the user gave none.

    The preset is the one that they name; without a name it is `BUILT_IN` for the built-in log, and none for others.

    Args:
        options: the command's options by name; ``ctx`` (typer's context) knows which of them the user gave.

    Raises:
        UnknownNameError: there is no such preset.
        StudyError: the preset cannot be read, or was tuned for a strategy that is not chosen.
    """
    name = options["preset"] or (BUILT_IN if is_built_in(options["data"]) else None)
    if name is None:
        return dict(options)
    preset = load_preset(name)
    settings = dict(preset.settings)
    if is_given(options, "lr"):  # a rate that the user gave holds for re-training, too
        settings.pop("recipe.retrain_learning_rate", None)
    chosen = with_settings(options, settings, lambda option: is_given(options, option))
    if preset.tuned is not None and "strategy" in options and not is_given(options, "strategy"):
        chosen["strategy"] = preset.tuned
    _check_tuned(preset, name, chosen)
    return {**chosen, PRESET_PARAMETERS: preset.parameters}


def with_settings(options: Options, settings: Mapping[str, Any], is_given: Callable[[str], bool]) -> dict[str, Any]:
    """The options, with settings by dotted name in place of those that were not given.

    Args:
        options: by name.
        settings: as in ``study.toml``, by dotted name.
        is_given: whether an option was.
    """
    chosen = dict(options)
    chosen[PRESET_DATA] = dict(options.get(PRESET_DATA, {}))
    for setting, value in settings.items():
        option = option_of(setting)
        if setting in _DATA_ONLY:
            chosen[PRESET_DATA][setting.removeprefix("data.")] = value
        elif not is_given(option):
            chosen[option] = [f"{c}={rule}" for c, rule in value.items()] if option == "numeric" else value
    return chosen


def option_of(setting: str) -> str:
    """What the option is called that sets a setting, given by its dotted name in ``study.toml``."""
    return _NAMES.get(setting, setting.rpartition(".")[2])


def is_given(options: Options, option: str) -> bool:
    """Whether the user gave an option; one that the command has not was not given."""
    source = options["ctx"].get_parameter_source(option)
    return source is not None and not source.name.startswith("DEFAULT")


def _check_tuned(preset: Preset, name: str, options: Options) -> None:
    if preset.tuned is None or not ("strategies" in options or "strategy" in options):
        return
    entries = select_strategies(options.get("strategies") or options["strategy"])
    names = [e.name for e in entries if not e.is_always_compared]
    if preset.tuned not in {*names, *(e.search_name for e in entries)}:
        raise StudyError(f"preset {name} was tuned for {preset.tuned}, which is not chosen ({', '.join(names)})")


def strategy_parameters(options: Options, strategies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What ``--set`` and the preset say of the chosen strategies, by strategy.

    Raises:
        OptionError: ``--set`` has another form, or names a strategy that was not chosen or a parameter that it has not.
    """
    entries = [STRATEGIES.get(name) for name in strategies]
    names = {e.name for e in entries} | {e.search_name for e in entries}
    preset = options.get(PRESET_PARAMETERS, {})
    chosen = {name: dict(values) for name, values in preset.items() if name in names}
    for text in options.get("parameters") or ():
        strategy, name, value = _read_assignment(text)
        if strategy not in names:
            raise OptionError("set", f"of a chosen strategy ({', '.join(strategies)})", text)
        STRATEGIES.get(strategy).with_parameters({name: value})
        chosen.setdefault(strategy, {})[name] = value
    return chosen


def _read_assignment(text: str) -> tuple[str, str, Any]:
    left, equals, value = text.partition("=")
    strategy, dot, name = left.strip().rpartition(".")
    if not (equals and dot and strategy and name):
        raise OptionError("set", SET_FORM, text)
    try:
        return strategy, name, json.loads(value)
    except ValueError:
        return strategy, name, value  # a word, like EDCN's bridge
