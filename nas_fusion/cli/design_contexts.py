"""What the context in a design's file means for `retrain`: defaults, and contradictions that are refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion import bounds
from nas_fusion.architecture import Architecture, Found
from nas_fusion.cli.asked_settings import RATE, RETRAIN_RATE, strategy_parameters, with_preset
from nas_fusion.cli.command import GivenSettings
from nas_fusion.cli.common_options import A_LOG, A_PRESET, OneLog, OneSearch
from nas_fusion.design import KNOWN_OPERATIONS, OPERATIONS, FusionDesign
from nas_fusion.design_file import DesignContext
from nas_fusion.errors import DesignError, UnknownNameError
from nas_fusion.settings import BUILT_IN_EMB_DIM, DEFAULT_EMB_DIM, ComparisonSettings, Panel
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.settings.option import REQUIRED, flag, number, path, text

if TYPE_CHECKING:
    from nas_fusion.data import Schema
    from nas_fusion.studies import Assembly

logger = logging.getLogger("nas_fusion")

_THE_DESIGNS = "what the design's file says, else"
OVERRIDE = "--override lets the command win"

_NO_MATTER = ("recipe.soft_learning_rate", "recipe.choice", "recipe.sweep_passes", "recipe.kept")
"""Settings that change nothing of a re-training from scratch."""

_IN_DATA = ("source", "options", "fields", "schema")


@dataclass(frozen=True)
class RetrainOptions:
    """What `retrain` is about."""

    design: Path = path(
        REQUIRED,
        "A design in JSON, as `search` and `compare` write it; or a saved model, or a study, for its best.",
        panel=Panel.MODEL,
        placed=True,
        first=True,
    )
    data: str | None = text(
        None, f"{A_LOG}.", panel=Panel.DATA, metavar="LOG", first=True, shown=f"{_THE_DESIGNS} {OneLog.data}"
    )
    preset: str | None = text(None, A_PRESET, panel=Panel.DATA, metavar="PRESET", first=True)
    seed: int | None = number(
        None, bounds.SEED, "Seed of everything random.", panel=Panel.BUDGET, first=True,
        shown=f"{_THE_DESIGNS} {OneSearch.seed}",
    )  # fmt: skip
    override: bool = flag(
        False, "Let options, preset and log contradict what the design's file says.", panel=Panel.MODEL
    )
    out: Path | None = path(
        None,
        "Where to write the weights (torch format), or the folder of the new model.",
        panel=Panel.WRITTEN,
        first=True,
    )


def retrain_settings(
    asked: RetrainOptions, given: GivenSettings, found: Found, context: DesignContext | None
) -> ComparisonSettings:
    """The settings of a re-training, as those of a comparison of one strategy with one seed.

    What the design's file says holds wherever the user gave neither an option nor a preset by name. A design whose file
    says nothing has the options as they are.

    Raises:
        DesignError: an option, or a setting of the preset, is another than the file's; or the context is damaged.
        StudyError: the preset cannot be read, or was tuned for another strategy.
    """
    levels = found.levels if isinstance(found, FusionDesign) else None
    name = found.model if isinstance(found, Architecture) else "parallel"
    if context is None:
        source = asked.data or OneLog.data
        plain = with_preset(given, source, asked.preset)
        values = {
            **_needed_space(found),
            **_needed_operations(found),
            **plain.values,
            **({} if levels is None else {"model.levels": levels}),
        }
        parameters = strategy_parameters(plain.parameters, (), (name,))
        seed = OneSearch.seed
    else:
        values = _with_context(asked, given, levels, context)
        source, seed, parameters = str(context.data["source"]), context.seed, {}
    return settings_from(
        values,
        source=asked.data or source,
        strategies=(name,),
        seeds=(seed if asked.seed is None else asked.seed,),
        parameters=parameters,
    )


def _needed_space(found: Found) -> dict[str, object]:
    """The one space of this package whose designs say what stands in the blocks' places, for a design that does."""
    return {"model.space": "wide"} if isinstance(found, FusionDesign) and found.variants else {}


def _needed_operations(found: Found) -> dict[str, object]:
    """The published operations and those that a design has beside them, where spaces know them all."""
    used = {operation for _, operation in found.operations} if isinstance(found, FusionDesign) else set()
    if used <= set(OPERATIONS) or not used <= set(KNOWN_OPERATIONS):
        return {}
    return {"model.operations": ",".join(o for o in KNOWN_OPERATIONS if o in OPERATIONS or o in used)}


def _with_context(
    asked: RetrainOptions, given: GivenSettings, levels: int | None, context: DesignContext
) -> dict[str, object]:
    path = asked.design
    settings = _settings(path, context)
    if levels is not None and settings["model.levels"] != levels:
        raise DesignError(f"{path}: context.model.levels is {settings['model.levels']}, but the design has {levels}")
    wanted = _asked(asked, given, context)
    if not asked.override:
        _check_same(path, wanted, settings)
    kept = {name: value for name, value in settings.items() if name not in wanted}
    if wanted.get(RATE, settings.get(RATE)) != settings.get(RATE):
        kept.pop(RETRAIN_RATE, None)  # a rate that the user gave holds for re-training, too
    return {**kept, **wanted, **given.values}


def warn_of_context(path: Path, context: DesignContext | None, settings: ComparisonSettings) -> None:
    """Say what is assumed of a design whose file does not say it, and what is not in the file of a soft one."""
    if context is None:
        _warn_of_plain(path, settings)
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
    from nas_fusion.studies import schema_fingerprint

    if context is None:
        return
    schema: Schema = assembly.dataset.schema
    pairs: list[tuple[str, object, object]] = [
        ("operations", _operations(context), list(assembly.operations)),
        ("fields", context.data["fields"], len(schema.fields)),
    ]
    wrong = [f"{name}: {theirs} in the file, {ours} here" for name, theirs, ours in pairs if theirs != ours]
    if wrong and not override:
        raise DesignError(f"{path}: found on other data or in another space ({'; '.join(wrong)}); {OVERRIDE}")
    if wrong:
        logger.warning("%s: %s", path, "; ".join(wrong))
    elif context.data["schema"] != schema_fingerprint(schema):
        logger.warning("%s: found on a log whose fields have other names or kinds than this one's", path)


def _operations(context: DesignContext) -> list[str]:
    """The operations of the space in which a design was found."""
    said = context.model.get("operations", bounds.AUTOMATIC)
    if isinstance(said, str):
        return list(OPERATIONS) if said == bounds.AUTOMATIC else [name.strip() for name in said.split(",")]
    return list(said)


def _settings(path: Path, context: DesignContext) -> dict[str, object]:
    """The context's settings by dotted name, checked."""
    for key in context.data:
        if key not in _IN_DATA:
            raise DesignError(f"{path}: context.data: {UnknownNameError('key', key, _IN_DATA)}")
    source, options = context.data.get("source"), context.data.get("options")
    if not isinstance(source, str) or not isinstance(options, dict):
        raise DesignError(f"{path}: context.data must have a source (a text) and options (an object)")
    if not isinstance(context.data.get("fields"), int) or not isinstance(context.data.get("schema"), str):
        raise DesignError(f"{path}: context.data must have fields (an integer) and schema (a text)")
    # A list: the space's own, which are no setting.
    model = {n: v for n, v in context.model.items() if n != "operations" or isinstance(v, str)}
    sections = {"model": model, "recipe": context.recipe, "data": options}
    found = {f"{s}.{name}": value for s, values in sections.items() for name, value in values.items()}
    from nas_fusion.studies import check_settings

    check_settings(found, f"{path}: context")
    missing = [name for name in ("model.space", "model.levels", "model.emb_dim") if name not in found]
    if missing:
        raise DesignError(f"{path}: context.{missing[0]} is missing")
    return found


def _asked(asked: RetrainOptions, given: GivenSettings, context: DesignContext) -> dict[str, object]:
    """The settings of the file that the user gave, by dotted name: options, and after them a named preset."""
    wanted: dict[str, object] = {}
    if asked.preset:
        from nas_fusion.studies import load_preset

        preset = load_preset(asked.preset)
        wanted = {name: v for name, v in preset.settings.items() if name.startswith(("model.", "recipe.", "data."))}
        if preset.tuned not in (None, context.strategy):
            raise DesignError(
                f"preset {asked.preset} was tuned for {preset.tuned}, but {asked.design} was found by "
                f"{context.strategy}"
            )
    theirs = {*(f"model.{name}" for name in context.model), *(f"recipe.{name}" for name in context.recipe)}
    return {**wanted, **{name: value for name, value in given.values.items() if name in theirs}}


def _check_same(path: Path, asked: Mapping[str, object], settings: Mapping[str, object]) -> None:
    wrong = [
        f"{name}: {settings[name]!r} in the file, {value!r} asked for"
        for name, value in asked.items()
        if name in settings and not name.startswith("data.") and name not in _NO_MATTER
        if value != settings[name] and not (name == "model.emb_dim" and value == 0)
    ]
    if wrong:
        raise DesignError(f"{path}: {'; '.join(wrong)}; {OVERRIDE}")


def _warn_of_plain(path: Path, settings: ComparisonSettings) -> None:
    model = settings.model
    width = model.emb_dim or f"{DEFAULT_EMB_DIM} ({BUILT_IN_EMB_DIM} for the built-in log)"
    words = f"space {model.space}, embedding width {width}, dropout {model.dropout:g}, "
    words += f"batch norm {'on' if model.batch_norm else 'off'}, and the recipe of the options"
    logger.warning("%s says nothing of where it was found: assuming %s", path, words)
