"""From what the user gave to the settings of a comparison: options win over the preset, the preset over defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.cli.command import GivenSettings
from nas_fusion.cli.common_options import DEFAULT_STRATEGY, Assignments, OneLog, OneSearch
from nas_fusion.errors import NasFusionError, OptionError, StudyError
from nas_fusion.settings import ComparisonSettings, is_built_in, is_planted
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.settings.study_toml import read_settings

if TYPE_CHECKING:
    from nas_fusion.strategy import StrategyEntry
    from nas_fusion.studies import Preset

SET_FORM = "STRATEGY.PARAMETER=VALUE"
BUILT_IN = "built-in"
"""The preset of the built-in log, which is to be quick on a laptop."""

PLANTED_LOGS = "planted"
"""The preset of planted logs, with a rate at which they are learnt."""

CHOICE, AVERAGING, MEMBERS = "recipe.choice", "recipe.averaging", "recipe.members"

STUDY = "study.toml"

RATE, RETRAIN_RATE = "recipe.learning_rate", "recipe.retrain_learning_rate"


@dataclass(frozen=True)
class AskedSettings:
    """What the user asked for.

    Args:
        values: settings by dotted name, those of the preset included; what is not among them has its default.
        parameters: the preset's parameters of strategies.
        tuned: the strategy that the preset was tuned for, if it was.
        preset: its name, empty if there is none.
    """

    values: Mapping[str, object]
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    tuned: str | None = None
    preset: str = ""

    def check_tuned(self, entries: Sequence[StrategyEntry]) -> None:
        """Refuse a preset that was tuned for none of the chosen strategies.

        Raises:
            StudyError: it was.
        """
        if self.tuned is None:
            return
        names = [e.name for e in entries if not e.is_always_compared]
        if self.tuned not in {*names, *(e.search_name for e in entries)}:
            raise StudyError(
                f"preset {self.preset} was tuned for {self.tuned}, which is not chosen ({', '.join(names)})"
            )


def with_preset(given: GivenSettings, source: str, name: str | None) -> AskedSettings:
    """The options, and the preset's values wherever the user gave none.

    Args:
        given: what the user gave.
        source: the log.
        name: the preset's; without one it is `BUILT_IN` for the built-in log, `PLANTED_LOGS` for planted ones, and none
            for others.

    Raises:
        UnknownNameError: there is no such preset.
        StudyError: the preset cannot be read.
    """
    name = name or (PLANTED_LOGS if is_planted(source) else BUILT_IN if is_built_in(source) else None)
    if name is None:
        return AskedSettings(given.values)
    from nas_fusion.studies import load_preset

    return _over(given, load_preset(name), name)


def _over(given: GivenSettings, preset: Preset, name: str) -> AskedSettings:
    settings = dict(preset.settings)
    if given.has(RATE):  # a rate that the user gave holds for re-training, too
        settings.pop(RETRAIN_RATE, None)
    return AskedSettings({**settings, **given.values}, preset.parameters, preset.tuned, name)


def with_choice_of(folder: Path, values: Mapping[str, object]) -> Mapping[str, object]:
    """The settings by dotted name; a study that is there goes on by its own recipe where nobody says another.

    Studies that were made before there was a choice have the defaults, whatever the default is now; and those that do
    not average weights, or train one network, go on so.
    """
    if {CHOICE, AVERAGING, MEMBERS} <= set(values) or not os.path.isfile(folder / STUDY):
        return values
    try:
        recipe = read_settings(folder / STUDY)[0]["recipe"]
    except NasFusionError:
        return values  # which is said where it is opened
    known = {CHOICE: recipe["choice"]}
    known |= {} if recipe["averaging"] else {AVERAGING: recipe["averaging"]}
    known |= {MEMBERS: recipe["members"]} if recipe["members"] == 1 else {}
    return {**known, **values}


def search_settings(
    log: OneLog, what: OneSearch, given: GivenSettings, assigned: Assignments, **fixed: int
) -> ComparisonSettings:
    """The settings of one search, as those of a comparison of one strategy with one seed.

    Args:
        log: its log.
        what: strategy, preset and seed.
        given: what the user gave.
        assigned: parameters of the strategy.
        fixed: settings that the command decides.
    """
    from nas_fusion.strategy import STRATEGIES, select_strategies

    asked = with_preset(given, log.data, what.preset)
    chosen = what.strategy or asked.tuned or DEFAULT_STRATEGY
    if asked.tuned is not None:
        asked.check_tuned(select_strategies(chosen))
    name = STRATEGIES.get(chosen).name
    parameters = strategy_parameters(asked.parameters, assigned.set, (name,))
    return settings_from(
        {**asked.values, **fixed}, source=log.data, strategies=(name,), seeds=(what.seed,), parameters=parameters
    )


def strategy_parameters(
    preset: Mapping[str, Mapping[str, object]], assignments: Sequence[str], strategies: Sequence[str]
) -> dict[str, dict[str, object]]:
    """What ``--set`` and the preset say of the chosen strategies, by strategy.

    Args:
        preset: strategy → its parameters.
        assignments: what was given as ``--set``.
        strategies: the chosen ones.

    Raises:
        OptionError: ``--set`` has another form, or names a strategy that was not chosen or a parameter that it has not.
    """
    from nas_fusion.strategy import STRATEGIES

    entries = [STRATEGIES.get(name) for name in strategies]
    names = {e.name for e in entries} | {e.search_name for e in entries}
    chosen = {name: dict(values) for name, values in preset.items() if name in names}
    for text in assignments:
        strategy, name, value = _read_assignment(text)
        if strategy not in names:
            raise OptionError("set", f"of a chosen strategy ({', '.join(strategies)})", text)
        STRATEGIES.get(strategy).with_parameters({name: value})
        chosen.setdefault(strategy, {})[name] = value
    return chosen


def _read_assignment(text: str) -> tuple[str, str, object]:
    left, equals, value = text.partition("=")
    strategy, dot, name = left.strip().rpartition(".")
    if not (equals and dot and strategy and name):
        raise OptionError("set", SET_FORM, text)
    try:
        return strategy, name, json.loads(value)
    except ValueError:
        return strategy, name, value  # a word, like EDCN's bridge
