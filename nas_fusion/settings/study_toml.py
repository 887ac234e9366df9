"""``study.toml``: the settings of a study in a file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from nas_fusion.errors import DamagedFileError, OptionError, StudyError, UnknownNameError
from nas_fusion.settings.comparison_settings import NO_PART_OF_A_STUDY, ComparisonSettings
from nas_fusion.system.files import read_text, write_text
from nas_fusion.system.seals import SEAL, SealError, digest, unsealed

FORMAT_VERSION = 1
MADE_ANEW = "the command that made the study makes it anew"


def write_settings(settings: ComparisonSettings, path: Path, fingerprint: str) -> None:
    """Write ``study.toml``, with a checksum.

    Args:
        settings: of the study.
        path: of the file.
        fingerprint: of the data.
    """
    content = {"format": FORMAT_VERSION, "fingerprint": fingerprint, **settings.to_dict()}
    write_text(path, tomli_w.dumps({**content, SEAL: digest(content)}))


def complete(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain values; those that did not exist when they were written have their defaults.

    Raises:
        StudyError: they were written by a version that had others.
    """
    try:
        return ComparisonSettings.from_dict(content).to_dict()
    except (OptionError, UnknownNameError) as error:
        raise StudyError(f"a setting that this version of nas-fusion does not allow: {error}") from error
    except (KeyError, TypeError) as error:
        raise StudyError(f"settings of another version of nas-fusion: {error}") from error


def read_settings(path: Path) -> tuple[dict[str, Any], str]:
    """The settings in a ``study.toml`` as plain values (see `complete`), and the fingerprint of the data.

    Raises:
        DamagedFileError: the file cannot be read, or was changed since it was written.
        StudyError: it is of another version.
    """
    text = read_text(path, MADE_ANEW)
    try:
        content = unsealed(tomllib.loads(text), required=False)
        version, fingerprint = content.pop("format"), content.pop("fingerprint")
    except SealError as error:
        raise DamagedFileError(path, error, MADE_ANEW) from error
    except (ValueError, KeyError, RecursionError) as error:
        raise DamagedFileError(path, f"damaged: not the settings of a study: {error}", MADE_ANEW) from error
    if version != FORMAT_VERSION:
        raise StudyError(f"{path}: format must be {FORMAT_VERSION}, got {version!r}")
    try:
        return complete(content), str(fingerprint)
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from error


def differences(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> list[str]:
    """The settings that differ, as "name: theirs in the study, ours asked for"."""
    found: list[str] = []
    for name in sorted(set(ours) | set(theirs)):
        a, b = ours.get(name), theirs.get(name)
        if prefix + name in NO_PART_OF_A_STUDY:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{name}.")
        elif _plain(a) != _plain(b):
            found.append(f"{prefix}{name}: {_plain(b)!r} in the study, {_plain(a)!r} asked for")
    return found


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value
