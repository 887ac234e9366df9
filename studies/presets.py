"""Presets: settings under a name, in the form of ``study.toml``, that a command's options override.

A study's own ``study.toml``, and the ``tuned.json`` of a tuning, stand wherever a preset can.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from nas_fusion.errors import OptionError, StudyError, UnknownNameError
from nas_fusion.search_spaces import SPACES
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.dotted_names import flat, setting_names, settings_from
from nas_fusion.settings.study_toml import complete, read_settings
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies.recipe.recipe_file import read_recipe
from nas_fusion.studies.recipe.swept_values import SweptValues
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import read_text
from nas_fusion.system.places import is_file
from nas_fusion.system.seals import read_sealed

_SUFFIX, _TUNED = ".toml", ".json"
TUNED_ANEW = "the command that tuned writes it anew"
_OWN = ("summary", "source")
_NOT_A_PRESETS = ("source", "strategies", "seeds")
"""Settings of a comparison that a preset leaves to the user (its own ``source`` says where it is from)."""


@dataclass(frozen=True)
class Preset:
    """Settings under a name.

    Args:
        name: how users call it.
        summary: one line.
        source: where the settings are from.
        settings: setting → value, by its dotted name in ``study.toml`` (``recipe.learning_rate``).
        parameters: strategy → parameter → value.
        tuned: the strategy that the settings were tuned for; None for other presets.
    """

    name: str
    summary: str
    source: str
    settings: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    tuned: str | None = None


def preset_names() -> tuple[str, ...]:
    """The presets of the package."""
    folder = files("nas_fusion.studies") / "presets"
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX)))


def load_preset(name: str) -> Preset:
    """A preset of the package by its name, or the settings in a file.

    Args:
        name: of a preset; or the path of a preset of one's own or of a study's ``study.toml`` (both end in ``.toml``),
            of a tuning's ``tuned.json`` (it ends in ``.json``), or of the folder of a study or a tuning.

    Raises:
        UnknownNameError: there is none of that name; the nearest is offered.
        StudyError: the file cannot be read, or is no preset; says what is wrong.
        OptionError: a value is out of its range.
    """
    path = Path(name)
    if not is_file("preset", path) and path.is_dir() and name not in preset_names():
        path = _in_folder(path)
    if path.suffix in (_SUFFIX, _TUNED):
        if not path.is_file():
            raise StudyError(f"{path}: no such preset")
        if path.suffix == _TUNED:
            return _read_tuned(path)
        text = read_text(path)
        return _of_study(path) if _is_study(text) else _read(path.stem, text, str(path))
    if name not in preset_names():
        raise UnknownNameError("preset", name, preset_names())
    text = (files("nas_fusion.studies") / "presets" / f"{name}{_SUFFIX}").read_text("utf-8")
    return _read(name, text, f"preset {name}")


def preset_of(settings: ComparisonSettings, name: str, source: str) -> Preset:
    """The settings of a comparison as a preset: all but the log, the strategies and the seeds.

    The embedding width is the one in use, which depends on the log where none was set.
    """
    content = replace(settings, model=replace(settings.model, emb_dim=settings.emb_dim)).to_dict()
    parameters = content.pop("parameters")
    for key in _NOT_A_PRESETS:
        del content[key]
    return Preset(name, f"the settings of {name}", source, flat(content), parameters)


def check_settings(settings: Mapping[str, Any], place: str) -> None:
    """Refuse settings by dotted name that are unknown, or have values that are not allowed.

    Raises:
        StudyError: names `place`, the setting, and what is wrong.
    """
    _check(settings, {}, place)


def _in_folder(folder: Path) -> Path:
    for name in ("tuned.json", "study.toml"):
        if (folder / name).is_file():
            return folder / name
    raise StudyError(f"{folder}: neither a preset nor a study's folder (no study.toml in it)")


def _is_study(text: str) -> bool:
    try:
        return "fingerprint" in tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False  # is said of it where it is read


def _of_study(path: Path) -> Preset:
    settings = ComparisonSettings.from_dict(read_settings(path)[0])
    if settings.recipe.choice == "auto":
        settings = _chosen(settings, StudyFolder(path.parent))
    return preset_of(settings, path.resolve().parent.name, str(path))


def _chosen(settings: ComparisonSettings, study: StudyFolder) -> ComparisonSettings:
    recipe = read_recipe(study)
    if recipe is None:
        raise StudyError(f"{study.path}: its recipe is not chosen yet (no {study.recipe.name}), so it is no preset yet")
    return SweptValues(settings, recipe.train_rows).apply(recipe.values)


def _read_tuned(path: Path) -> Preset:
    content = read_sealed(path, TUNED_ANEW, required=False)
    if "values" not in content:
        raise StudyError(f"{path}: not what a tuning found: it has no values")
    if "settings" not in content:
        raise StudyError(f"{path}: written by a version that did not keep its settings; {TUNED_ANEW}")
    try:
        strategy, settings = content["strategy"], ComparisonSettings.from_dict(complete(content["settings"]))
        STRATEGIES.get(strategy)
    except (KeyError, TypeError, UnknownNameError, StudyError) as error:
        raise StudyError(f"{path}: not what a tuning found: {error}") from error
    return replace(preset_of(settings, path.stem, str(path)), tuned=strategy)


def _read(name: str, text: str, place: str) -> Preset:
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise StudyError(f"{place}: not TOML: {error}") from error
    if not content:
        raise StudyError(f"{place}: an empty file is no preset")
    summary, source = (str(content.pop(key, "")) for key in _OWN)
    parameters = _tables(content.pop("parameters", {}), place)
    settings = flat(content)
    _check(settings, parameters, place)
    return Preset(name, summary, source, settings, parameters)


def _tables(content: Any, place: str) -> dict[str, dict[str, Any]]:
    if not isinstance(content, dict) or not all(isinstance(table, dict) for table in content.values()):
        raise StudyError(f"{place}: parameters must be tables [parameters.STRATEGY]")
    return content


def _check(settings: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]], place: str) -> None:
    known = set(setting_names()) - {*_NOT_A_PRESETS, "parameters"}
    for name in settings:
        if name not in known:
            raise StudyError(f"{place}: {UnknownNameError('setting', name, known)}")
    try:
        SPACES.get(settings_from(settings, source=place, strategies=()).model.space)
        for strategy, values in parameters.items():
            STRATEGIES.get(strategy).with_parameters(values)
    except (OptionError, UnknownNameError, TypeError, ValueError) as error:
        raise StudyError(f"{place}: {error}") from error
