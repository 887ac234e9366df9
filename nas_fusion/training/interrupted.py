"""The file of a training that was interrupted, and is to go on, perhaps in another process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from nas_fusion.errors import DamagedFileError
from nas_fusion.system.files import save_tensors


def write_training(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training (`TrainingLoop.run`), whole or not at all.

    It takes four times the memory of the weights: they, Adam's two moments of them and, where they are averaged or the
    best ones are kept, those.

    Raises:
        WriteError: the file cannot be written.
    """
    save_tensors(path, state)


def read_training(path: Path) -> dict[str, Any]:
    """What `write_training` wrote; nothing but tensors and plain values is unpickled.

    Raises:
        DamagedFileError: the file is missing, cannot be read, or holds something else.
    """
    remedy = "a search whose candidates are trained in parts needs a folder that all of its machines see"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError, LookupError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DamagedFileError(path, f"no interrupted training can be read from it ({reason})", remedy) from error
    if not isinstance(state, dict) or "watchers" not in state:
        raise DamagedFileError(path, "it holds no interrupted training", remedy)
    return state
