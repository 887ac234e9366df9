"""The hand-made models' entries in the registry of strategies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from nas_fusion.architecture import Architecture
from nas_fusion.baselines.models import MODELS, HandMade
from nas_fusion.baselines.wide_points import point_of
from nas_fusion.bounds import LEVELS
from nas_fusion.design import FusionDesign
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import DesignSet
from nas_fusion.strategy import BuildContext, StrategyEntry


def point_of_the_space(model: HandMade, parameters: Mapping[str, Any]) -> FusionDesign | None:
    """The model as a design of a fusion space with as many levels as it takes; None where it is none.

    The design is the model exactly if its layers are as wide as the concatenated embeddings, and the space has its
    batch norm and dropout.
    """
    if model.design is None or parameters.get("rank") is not None:
        return None
    deep, crosses = parameters["hidden_layers"], parameters.get("cross_layers", 0)
    for levels in range(1, min(2 * (deep + crosses), int(LEVELS.high)) + 1):
        design = model.design(DesignSet(levels))
        blocks = design.live_blocks()
        if [sum(b.startswith(kind) for b in blocks) for kind in ("deep", "cross")] == [deep, crosses]:
            return design
    return None


def _architecture(model: HandMade, context: BuildContext, **parameters: Any) -> Architecture:
    return Architecture.build(model.name, parameters, _text(model, parameters, context.fields))


def _text(model: HandMade, parameters: Mapping[str, Any], fields: Fields) -> str:
    text = f"{model.name}: " + ", ".join(f"{name} {value}" for name, value in parameters.items())
    design = point_of_the_space(model, parameters)
    if design is None:
        return text
    space = f"the space {model.space}" if model.space else "every fusion space"
    is_exact = parameters["hidden_width"] == fields.width
    return f"{text}; a design of {space} at {design.levels} levels" + ("" if is_exact else ", but for the width")


def _make_model(model: HandMade, architecture: Architecture, fields: Fields) -> nn.Module:
    return model.for_fields(fields, **architecture.settings)


def model_entry(model: HandMade) -> StrategyEntry:
    """A hand-made model as a reference that a comparison can name."""
    return StrategyEntry(
        name=model.name,
        kind="reference",
        summary=f"hand-made: {model.summary}",
        build=partial(_architecture, model),
        # As JSON gives them back, so that a record that was read equals the one that was written.
        parameters={k: list(v) if isinstance(v, tuple) else v for k, v in model.parameters.items()},
        bounds=model.bounds,
        distributions=model.distributions,
        make_model=partial(_make_model, model),
        point=point_of(model),
    )


MODEL_ENTRIES = tuple(model_entry(model) for model in MODELS.values())
"""One reference per hand-made model, oldest first."""
