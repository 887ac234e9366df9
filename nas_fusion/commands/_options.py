"""What the user of a command asked for: options, the preset behind them, parameters of strategies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import is_built_in, load_preset

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
}
"""Options that are not called like the setting."""

_NO_OPTION = ("data.seed", "data.vocabulary_rows", "data.reproduce_criteo_buckets", "data.fields")
"""Settings that Python code can make and the command line cannot."""


def with_preset(options: Options) -> dict[str, Any]:
    """The options, with the preset's values wherever the user gave none.

    The preset is the one that they name; without a name it is `BUILT_IN` for the built-in log, and none for others.

    Args:
        options: the command's options by name; ``ctx`` (typer's context) knows which of them the user gave.

    Raises:
        UnknownNameError: there is no such preset.
        StudyError: the preset cannot be read, or sets what the command line cannot.
    """
    name = options["preset"] or (BUILT_IN if is_built_in(options["data"]) else None)
    if name is None:
        return dict(options)
    preset = load_preset(name)
    chosen = dict(options)
    for setting, value in preset.settings.items():
        if setting in _NO_OPTION:
            raise StudyError(f"preset {name}: {setting} can be set from Python only")
        option = _NAMES.get(setting, setting.rpartition(".")[2])
        if option == "retrain_lr" and _is_given(options, "lr"):
            continue  # a rate that the user gave holds for re-training, too
        if not _is_given(options, option):
            chosen[option] = [f"{c}={rule}" for c, rule in value.items()] if option == "numeric" else value
    return {**chosen, PRESET_PARAMETERS: preset.parameters}


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


def _is_given(options: Options, option: str) -> bool:
    source = options["ctx"].get_parameter_source(option)
    return source is not None and not source.name.startswith("DEFAULT")
