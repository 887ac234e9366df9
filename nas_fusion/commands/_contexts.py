"""What the context in a design's file means for `retrain`: defaults, and contradictions that are refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_fusion.architecture import Found
from nas_fusion.commands._options import Options, is_given, option_of, with_preset, with_settings
from nas_fusion.data import Schema
from nas_fusion.design import OPERATIONS, FusionDesign
from nas_fusion.design_file import DesignContext
from nas_fusion.errors import DesignError, UnknownNameError
from nas_fusion.studies import Assembly, check_settings, load_preset, schema_fingerprint

logger = logging.getLogger("nas_fusion")

OVERRIDE = "--override lets the command win"

_RATE, _RETRAIN_RATE = "recipe.learning_rate", "recipe.retrain_learning_rate"

_NO_MATTER = ("recipe.soft_learning_rate",)
"""Settings that change nothing of a re-training from scratch."""

_IN_DATA = ("source", "options", "fields", "schema")


def with_context(options: Options, found: Found, context: DesignContext | None) -> dict[str, Any]:
    """The options of `retrain`, with what the design's file says wherever the user gave none.

    The user gives an option, or a preset by name. A design whose file says nothing has the options as they are.

    Raises:
        DesignError: an option, or a setting of the preset, is another than the file's; or the context is damaged.
        StudyError: the preset cannot be read, or was tuned for another strategy.
    """
    path: Path = options["design"]
    levels = found.levels if isinstance(found, FusionDesign) else None
    if context is None:
        chosen = with_preset(options)
        return {**chosen, "levels": levels or chosen.get("levels", 3)}
    settings = _settings(path, context)
    if levels is not None and settings["model.levels"] != levels:
        raise DesignError(f"{path}: context.model.levels is {settings['model.levels']}, but the design has {levels}")
    asked = _asked(options, context)
    if not options["override"]:
        _check_same(path, asked, settings)
    kept = {name: value for name, value in settings.items() if name not in asked}
    if asked.get(_RATE, settings.get(_RATE)) != settings.get(_RATE):
        kept.pop(_RETRAIN_RATE, None)  # a rate that the user gave holds for re-training, too
    given = {option_of(name) for name in asked}
    chosen = with_settings(options, asked, lambda option: is_given(options, option))
    chosen = with_settings(chosen, kept, lambda option: is_given(options, option) or option in given)
    for name, value in {"seed": context.seed, "data": context.data["source"]}.items():
        if not is_given(options, name):
            chosen[name] = value
    return chosen


def warn_of_context(path: Path, context: DesignContext | None, chosen: Options) -> None:
    """Say what is assumed of a design whose file does not say it, and what is not in the file of a soft one."""
    if context is None:
        _warn_of_plain(path, chosen)
    elif context.mode == "soft":
        logger.warning(
            "%s was found by %s, which re-trains a soft model from its supernet; that is not in the file, so the "
            "design is trained hard, from scratch",
            path,
            context.strategy,
        )


def check_log(path: Path, context: DesignContext | None, assembly: Assembly, *, override: bool) -> None:
    """Hold the log and the space against what a design was found on.

    Raises:
        DesignError: another number of fields, or other operations; says both.
    """
    if context is None:
        return
    schema: Schema = assembly.dataset.schema
    pairs: list[tuple[str, Any, Any]] = [
        ("operations", context.model.get("operations", list(OPERATIONS)), list(assembly.operations)),
        ("fields", context.data["fields"], len(schema.fields)),
    ]
    wrong = [f"{name}: {theirs} in the file, {ours} here" for name, theirs, ours in pairs if theirs != ours]
    if wrong and not override:
        raise DesignError(f"{path}: found on other data or in another space ({'; '.join(wrong)}); {OVERRIDE}")
    if wrong:
        logger.warning("%s: %s", path, "; ".join(wrong))
    elif context.data["schema"] != schema_fingerprint(schema):
        logger.warning("%s: found on a log whose fields have other names or kinds than this one's", path)


def _settings(path: Path, context: DesignContext) -> dict[str, Any]:
    """The context's settings by dotted name, checked."""
    for key in context.data:
        if key not in _IN_DATA:
            raise DesignError(f"{path}: context.data: {UnknownNameError('key', key, _IN_DATA)}")
    source, options = context.data.get("source"), context.data.get("options")
    if not isinstance(source, str) or not isinstance(options, dict):
        raise DesignError(f"{path}: context.data must have a source (a text) and options (an object)")
    if not isinstance(context.data.get("fields"), int) or not isinstance(context.data.get("schema"), str):
        raise DesignError(f"{path}: context.data must have fields (an integer) and schema (a text)")
    model = {name: value for name, value in context.model.items() if name != "operations"}
    sections = {"model": model, "recipe": context.recipe, "data": options}
    found = {f"{s}.{name}": value for s, values in sections.items() for name, value in values.items()}
    check_settings(found, f"{path}: context")
    missing = [name for name in ("model.space", "model.levels", "model.emb_dim") if name not in found]
    if missing:
        raise DesignError(f"{path}: context.{missing[0]} is missing")
    return found


def _asked(options: Options, context: DesignContext) -> dict[str, Any]:
    """The settings of model and recipe that the user gave, by dotted name: options, and behind them a named preset."""
    asked: dict[str, Any] = {}
    if options["preset"]:
        preset = load_preset(options["preset"])
        asked = {name: v for name, v in preset.settings.items() if name.startswith(("model.", "recipe.", "data."))}
        if preset.tuned not in (None, context.strategy):
            raise DesignError(
                f"preset {options['preset']} was tuned for {preset.tuned}, but {options['design']} was found by "
                f"{context.strategy}"
            )
    for setting in (*context.model, *context.recipe):
        name = f"{'model' if setting in context.model else 'recipe'}.{setting}"
        if is_given(options, option_of(name)):
            asked[name] = options[option_of(name)]
    return asked


def _check_same(path: Path, asked: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    wrong = [
        f"{name}: {settings[name]!r} in the file, {value!r} asked for"
        for name, value in asked.items()
        if name in settings and not name.startswith("data.") and name not in _NO_MATTER
        if value != settings[name] and not (name == "model.emb_dim" and value == 0)
    ]
    if wrong:
        raise DesignError(f"{path}: {'; '.join(wrong)}; {OVERRIDE}")


def _warn_of_plain(path: Path, chosen: Options) -> None:
    width = chosen["emb_dim"] or "10 (4 for the built-in log)"
    words = f"space {chosen['space']}, embedding width {width}, dropout {chosen['dropout']:g}, "
    words += f"batch norm {'on' if chosen['batch_norm'] else 'off'}, and the recipe of the options"
    logger.warning("%s says nothing of where it was found: assuming %s", path, words)
