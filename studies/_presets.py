"""Presets: settings under a name, in the form of ``study.toml``, that a command's options override."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nas_fusion.data import DataOptions
from nas_fusion.errors import OptionError, StudyError, UnknownNameError
from nas_fusion.files import read_text
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies._settings import ComparisonSettings, ModelSettings, RecipeSettings

SECTIONS = MappingProxyType({"data": DataOptions, "model": ModelSettings, "recipe": RecipeSettings})
"""Tables of a preset, and what they are read into."""

_SUFFIX = ".toml"
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
    """

    name: str
    summary: str
    source: str
    settings: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]


def preset_names() -> tuple[str, ...]:
    """The presets of the package."""
    folder = files("nas_fusion.studies") / "presets"
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX)))


def load_preset(name: str) -> Preset:
    """A preset of the package by its name, or one's own: the path of a file that ends in ``.toml``.

    Raises:
        UnknownNameError: there is none of that name; the nearest is offered.
        StudyError: the file cannot be read, or is no preset; says what is wrong.
        OptionError: a value is out of its range.
    """
    if name.endswith(_SUFFIX):
        path = Path(name)
        if not path.is_file():
            raise StudyError(f"{path}: no such preset")
        return _read(path.stem, read_text(path), str(path))
    if name not in preset_names():
        raise UnknownNameError("preset", name, preset_names())
    text = (files("nas_fusion.studies") / "presets" / f"{name}{_SUFFIX}").read_text("utf-8")
    return _read(name, text, f"preset {name}")


def _read(name: str, text: str, place: str) -> Preset:
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise StudyError(f"{place}: not TOML: {error}") from error
    summary, source = (str(content.pop(key, "")) for key in _OWN)
    parameters = _tables(content.pop("parameters", {}), place)
    settings: dict[str, Any] = {}
    for key, value in content.items():
        if key in SECTIONS and isinstance(value, dict):
            settings.update((f"{key}.{inner}", v) for inner, v in value.items())
        else:
            settings[key] = value
    _check(settings, parameters, place)
    return Preset(name, summary, source, settings, parameters)


def _tables(content: Any, place: str) -> dict[str, dict[str, Any]]:
    if not isinstance(content, dict) or not all(isinstance(table, dict) for table in content.values()):
        raise StudyError(f"{place}: parameters must be tables [parameters.STRATEGY]")
    return content


def _check(settings: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]], place: str) -> None:
    known = {f.name for f in fields(ComparisonSettings)} - {*SECTIONS, *_NOT_A_PRESETS, "parameters"}
    known |= {f"{section}.{f.name}" for section, kind in SECTIONS.items() for f in fields(kind)}
    for name in settings:
        if name not in known:
            raise StudyError(f"{place}: {UnknownNameError('setting', name, known)}")
    try:
        _settings(settings, place)
        for strategy, values in parameters.items():
            STRATEGIES.get(strategy).with_parameters(values)
    except (OptionError, UnknownNameError, TypeError, ValueError) as error:
        raise StudyError(f"{place}: {error}") from error


def _settings(settings: Mapping[str, Any], place: str) -> ComparisonSettings:
    plain: dict[str, Any] = {name: value for name, value in settings.items() if "." not in name}
    for section, kind in SECTIONS.items():
        prefix = f"{section}."
        plain[section] = kind(**{n.removeprefix(prefix): v for n, v in settings.items() if n.startswith(prefix)})
    return ComparisonSettings(**plain, source=place, strategies=())
