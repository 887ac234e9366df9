"""Which search spaces a trial makes: those that the search itself named, and registered ones.

An order comes to a trial over a network, and importing a module runs it. So what an order names is not enough: the
search leaves the names of its spaces in a folder of its own, and tells its trials in their environment where. A trial
on another machine does not see that folder; it makes registered spaces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from nas_fusion.errors import OptionError
from nas_fusion.search_spaces import SPACES, FusionSpace
from nas_fusion.system.files import write_text

_VARIABLE = "NASFUSION_SPACES"
_NAME = re.compile(r"[\w.]+:[\w.]+")
_OPTION = "the space's class"


def permits_of(folder: Path) -> dict[str, str]:
    """What trials of a search have in their environment; `folder` is the search's own."""
    return {_VARIABLE: str(_permits(folder).resolve())}


def permit(kind: type, folder: Path) -> str:
    """Let a search's trials make spaces of this class; its name is returned.

    Raises:
        OptionError: a trial cannot import it.
        WriteError: the folder cannot be written.
    """
    name = _name_of(kind)
    if kind.__module__ == "__main__" or not _NAME.fullmatch(name):
        raise OptionError(_OPTION, "in a module that a trial can import", name)
    _permits(folder).mkdir(parents=True, exist_ok=True)
    file = _file(name, _permits(folder))
    if not file.is_file():
        write_text(file, "")
    return name


def permitted_class(name: str, environment: Mapping[str, str] = os.environ) -> type[FusionSpace]:
    """The class that an order names; nothing is imported that is neither permitted nor registered.

    Raises:
        OptionError: it is neither, or no search space.
    """
    folder = environment.get(_VARIABLE)
    # By the name of a file, not by its content: a trial reads nothing that a stranger could have written there.
    if folder and _NAME.fullmatch(name) and _file(name, Path(folder)).is_file():
        kind = _imported(name)
    else:
        kind = next((registered for _, registered in SPACES if _name_of(registered) == name), None)
    if kind is None:
        raise OptionError(_OPTION, "one that the search named, or a registered one", name)
    if not (isinstance(kind, type) and issubclass(kind, FusionSpace)):
        raise OptionError(_OPTION, "a FusionSpace", name)
    return kind


def _imported(name: str) -> Any:
    module, _, path = name.partition(":")
    try:
        part_of_module: Any = import_module(module)
        for name_of_part in path.split("."):
            part_of_module = getattr(part_of_module, name_of_part)
    except (ImportError, AttributeError) as error:
        raise OptionError(_OPTION, f"one that can be imported here ({error})", name) from error
    return part_of_module


def _name_of(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _permits(folder: Path) -> Path:
    return folder / "spaces"


def _file(name: str, permits: Path) -> Path:
    return permits / name.replace(":", "-")
