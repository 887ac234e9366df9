"""`Architecture`: a model that is no point of the fusion space, as a value that can be written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.errors import DesignError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Architecture:
    """A hand-made model, or what a search over a space of its own found.

    It holds plain values only; the entry that found it makes the model (`StrategyEntry.make_model`).

    Args:
        model: the family, by the name of its entry.
        settings_json: what the model is made from, as JSON text with sorted keys (so that architectures compare and
            hash by value); see `build` and `settings`.
        text: one line for tables.

    Raises:
        DesignError: `settings_json` is not a JSON object.
    """

    model: str
    settings_json: str
    text: str

    def __post_init__(self) -> None:
        try:
            settings = json.loads(self.settings_json)
        except ValueError as error:
            raise DesignError(f"the settings of {self.model} are not JSON: {error}") from error
        if not isinstance(settings, dict):
            raise DesignError(f"the settings of {self.model} must be a JSON object, got {type(settings).__name__}")

    @classmethod
    def build(cls, model: str, settings: Mapping[str, Any], text: str = "") -> Architecture:
        """An architecture of plain values.

        Raises:
            DesignError: JSON cannot hold a value.
        """
        try:
            content = json.dumps(dict(settings), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise DesignError(f"the settings of {model} are no plain values: {error}") from error
        return cls(model, content, text or model)

    @property
    def settings(self) -> dict[str, Any]:
        """What the model is made from."""
        settings: dict[str, Any] = json.loads(self.settings_json)
        return settings

    def in_short(self) -> dict[str, Any]:
        """What tells designs of the fusion space apart at a glance: nothing of one that is none."""
        return {}

    def to_sample(self) -> dict[str, Any]:
        """What NNI's web UI shows of it."""
        return {"model": self.model, "architecture": self.text}

    def to_json(self) -> str:
        """JSON text, the same for equal architectures."""
        content = {"format": FORMAT_VERSION, "model": self.model, "settings": self.settings, "text": self.text}
        return json.dumps(content, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Read what `to_json` wrote.

        Raises:
            DesignError: the text is not JSON, of another format version, or not an architecture.
        """
        try:
            content = json.loads(text)
            version, model, settings = content["format"], content["model"], content["settings"]
            words = content["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise DesignError(f"not an architecture in JSON: {error!r}") from error
        if version != FORMAT_VERSION:
            raise DesignError(f"architecture format must be {FORMAT_VERSION}, got {version!r}")
        if not isinstance(model, str) or not isinstance(settings, dict) or not isinstance(words, str):
            raise DesignError("not an architecture in JSON: model, settings or text have the wrong form")
        return cls.build(model, settings, words)

    def __str__(self) -> str:
        return self.text


Found = FusionDesign | Architecture
"""What a strategy may find."""


def found_from_json(text: str) -> Found:
    """Read a design or an architecture.

    Raises:
        DesignError: it is neither.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DesignError(f"neither a fusion design nor an architecture in JSON: {error}") from error
    is_architecture = isinstance(content, dict) and "model" in content
    return Architecture.from_json(text) if is_architecture else FusionDesign.from_json(text)
