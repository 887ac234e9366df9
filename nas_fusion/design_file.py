"""The file of a design: what was found, and its *context*, without which the same design is another model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nas_fusion.architecture import Found, found_from_json
from nas_fusion.errors import DamagedFileError, DesignError, UnknownNameError
from nas_fusion.system.files import read_text, write_text
from nas_fusion.system.places import is_file
from nas_fusion.system.seals import SEAL, SealError, sealed, unsealed

CONTEXT = "context"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class DesignContext:
    """Where a design was found.

    Args:
        version: of nas-fusion.
        strategy, mode, seed: what found it, and how it was re-trained: ``hard`` or ``soft``.
        model: the space: settings of `nas_fusion.studies.ModelSettings` with the width and the operations in use; the
            latter as a list where they are a space's own and not the usual ones.
        recipe: settings of `nas_fusion.studies.RecipeSettings`, by which it was trained.
        data: ``source``, the log as the user named it; ``options``, how it was read (`nas_fusion.data.DataOptions`);
            ``fields``, their number; ``schema``, a short fingerprint of their names and kinds.
    """

    version: str
    strategy: str
    mode: str
    seed: int
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    data: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"format": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, content: Any) -> DesignContext:
        """What `to_dict` gave; the settings in it are not looked at.

        Raises:
            DesignError: a key is missing or unknown, or its value of another kind; names it.
        """
        if not isinstance(content, Mapping):
            raise DesignError(f"{CONTEXT} must be an object, got {type(content).__name__}")
        kinds = {"format": int, **{f.name: _KINDS.get(f.name, str) for f in fields(cls)}}
        for key in content:
            if key not in kinds:
                raise DesignError(f"{CONTEXT}: {UnknownNameError('key', str(key), kinds)}")
        for key, kind in kinds.items():
            if not isinstance(content.get(key), kind) or isinstance(content[key], bool):
                shown_value = repr(content[key]) if key in content else "nothing"
                raise DesignError(f"{CONTEXT}.{key} must be {_WORDS[kind]}, got {shown_value[:200]}")
        if content["format"] != FORMAT_VERSION:
            raise DesignError(f"{CONTEXT}.format must be {FORMAT_VERSION}, got {content['format']}")
        return cls(**{key: value for key, value in content.items() if key != "format"})


_KINDS: dict[str, type] = {"seed": int, "model": dict, "recipe": dict, "data": dict}
_WORDS = {int: "an integer", str: "a text", dict: "an object"}


def design_text(design: Found, context: Mapping[str, Any] | None) -> str:
    """What a design's file says, with a checksum.

    Args:
        design: the design, or the architecture.
        context: see `DesignContext.to_dict`; None for a plain design.
    """
    content = json.loads(design.to_json())
    return sealed({**content, **({} if context is None else {CONTEXT: dict(context)})}) + "\n"


def write_design(path: str | Path, design: Found, context: DesignContext | None) -> None:
    """Write a design's file.

    Raises:
        WriteError: it cannot be written.
    """
    write_text(path, design_text(design, None if context is None else context.to_dict()))


def read_design(path: str | Path) -> tuple[Found, DesignContext | None]:
    """A design and its context; None for a plain design, as older versions wrote it.

    A design that was written by hand has no checksum; of one that has, nothing was changed.

    Raises:
        DesignError: there is no such file, or it is no design, or damaged or changed; names the file and the key.
    """
    path = Path(path)
    if not is_file("DESIGN", path):
        raise DesignError(f"{path}: no such file")
    try:
        text = read_text(path)
        design = found_from_json(text)
        content = unsealed(json.loads(text), required=False)
        return design, DesignContext.from_dict(content[CONTEXT]) if CONTEXT in content else None
    except DamagedFileError as error:
        raise DesignError(str(error)) from error
    except SealError as error:
        remedy = f"whoever changed it on purpose removes the line {SEAL!r}"
        raise DesignError(f"{path}: {error}; {remedy}") from error
    except DesignError as error:
        raise DesignError(f"{path}: {error}") from error
