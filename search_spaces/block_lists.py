"""Reading the architectures of spaces whose designs are a list of blocks."""

from __future__ import annotations

from typing import Any

from nas_fusion.architecture import Architecture
from nas_fusion.errors import DesignError


def blocks_of(architecture: Architecture, model: str) -> list[Any]:
    """The list ``blocks`` that is all the settings of an architecture of the family `model`.

    Raises:
        DesignError: it is of another family, or has other settings.
    """
    if architecture.model != model:
        raise DesignError(f"an architecture of {model} is needed, got one of {architecture.model}")
    settings = architecture.settings
    blocks = settings.get("blocks")
    if set(settings) != {"blocks"} or not isinstance(blocks, list):
        raise DesignError(f"the settings of {model} must be a list 'blocks', got {', '.join(settings) or 'nothing'}")
    return blocks
