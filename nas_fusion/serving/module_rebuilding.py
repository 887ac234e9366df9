"""The module of a saved model: made again from its manifest, with its weights loaded over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nas_fusion.architecture import Architecture
from nas_fusion.data import Schema
from nas_fusion.design import FusionDesign
from nas_fusion.errors import NasFusionError, StrategyError, UnknownNameError, words_of
from nas_fusion.nn import Ensemble
from nas_fusion.search import faults_of, new_model
from nas_fusion.search_spaces import FusionSpace, space_of
from nas_fusion.serving.blended_model import Blend
from nas_fusion.serving.model_manifest import ManifestError, ModelManifest, SoftForm
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.strategy.abilities import SoftStart
from nas_fusion.training import WholeModel, WholeState, seeded

DTYPES: Mapping[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}
"""What the tensors of a model may be."""


LARGE = 1 << 22
"""Numbers of a tensor; to draw so many takes tens of milliseconds, and a table of millions of values seconds."""

_DRAWING = (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_)


class LargeTablesUndrawn(TorchFunctionMode):
    """First values of large tensors are not drawn: those that were saved are loaded over them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch, or leave a tensor as it is."""
        given = kwargs or {}
        if func in _DRAWING:
            drawn: Tensor = args[0] if args else given["tensor"]
            if drawn.numel() >= LARGE:
                return drawn
        return func(*args, **given)


def soft_form(start: SoftStart) -> SoftForm:
    """What is kept of where a soft re-training started."""
    weights = {name: (_dtype_name(w), tuple(w.shape)) for name, w in start.weights.items()}
    return SoftForm({one: dict(values) for one, values in start.mixture.items()}, weights)


def rebuilt(
    manifest: ModelManifest, schema: Schema, weights: Mapping[str, Tensor], entry: StrategyEntry | None = None
) -> nn.Module:
    """The module, in evaluation mode on the CPU.

    Args:
        manifest: of the saved model.
        schema: the fields that it was trained on.
        weights: its state; copied, so that numbers do not depend on where a file happens to lie in memory.
        entry: of its strategy, where that is not registered.

    Raises:
        StrategyError: the strategy that makes its model is not installed, or raised something.
        ManifestError: the weights are not those of the model that the manifest describes.
    """
    if manifest.parts:
        modules = [rebuilt(part, schema, _of_part(weights, place)) for place, part in enumerate(manifest.parts)]
        return Blend(modules, [part.recipe for part in manifest.parts]).eval()
    module = new_module(manifest, schema, weights, entry)
    if not isinstance(module, WholeModel):
        try:
            module.load_state_dict(dict(weights))
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ManifestError(f"the weights are not those of the model that was described: {reason}") from error
    return module.cpu().eval()


def new_module(
    manifest: ModelManifest,
    schema: Schema,
    weights: Mapping[str, Tensor] | None = None,
    entry: StrategyEntry | None = None,
) -> nn.Module:
    """The module with weights that mean nothing yet; only one that is no network needs its own.

    Raises:
        StrategyError, ManifestError: as of `rebuilt`.
    """
    # The seed of its training, should a third party's module draw something that is not among its weights.
    with seeded(manifest.recipe.seed), LargeTablesUndrawn():
        try:
            networks = [_made(manifest, schema, weights or {}, entry) for _ in range(manifest.recipe.members)]
            return networks[0] if len(networks) == 1 else Ensemble(networks)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, NasFusionError):
                raise
            raise ManifestError(f"the model that was described cannot be made: {words_of(error)}") from error


def _of_part(weights: Mapping[str, Tensor], place: int) -> dict[str, Tensor]:
    """The state of one part of a blend."""
    prefix = f"parts.{place}."
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _made(
    manifest: ModelManifest, schema: Schema, weights: Mapping[str, Tensor], entry: StrategyEntry | None
) -> nn.Module:
    design, fields = manifest.design, manifest.fields(schema.field_shapes)
    if manifest.mode == "hard" and isinstance(design, FusionDesign):  # whoever found it
        return _space(manifest, schema).derive(design, weights=False)
    entry = entry or _entry(manifest)
    with faults_of(entry):
        if isinstance(design, FusionDesign):
            return _soft(entry, manifest, _space(manifest, schema), design)
        if entry.fit_model is None:
            return new_model(entry, design, space_of(manifest.space, fields))
        return _whole(entry, manifest, design, schema, weights)


def _space(manifest: ModelManifest, schema: Schema) -> FusionSpace:
    try:
        return space_of(manifest.space, manifest.fields(schema.field_shapes))
    except UnknownNameError as error:
        raise ManifestError(f"its search space is not installed: {error}") from error


def _entry(manifest: ModelManifest) -> StrategyEntry:
    name = manifest.strategy
    try:
        return STRATEGIES.get(name)
    except NasFusionError as error:
        problem = f"the package that has this strategy is not installed, and only it can make the model: {error}"
        raise StrategyError(name, problem) from error


def _soft(entry: StrategyEntry, manifest: ModelManifest, space: FusionSpace, design: FusionDesign) -> nn.Module:
    if entry.make_soft_model is None or manifest.soft is None:
        raise ManifestError(f"a soft model of {entry.name}, which makes none, or of which the mixture is missing")
    # One zero that looks like all of them: a supernet's table may be larger than the model's.
    zeros = {
        name: torch.zeros((), dtype=_dtype(kind)).expand(shape) for name, (kind, shape) in manifest.soft.weights.items()
    }
    return entry.make_soft_model(space, design, SoftStart(zeros, manifest.soft.mixture))


def _whole(
    entry: StrategyEntry, manifest: ModelManifest, design: Architecture, schema: Schema, weights: Mapping[str, Tensor]
) -> nn.Module:
    if entry.open_model is None:
        raise StrategyError(entry.name, "its entry has no open_model, so that its models cannot be opened again")
    try:
        return entry.open_model(design, schema, WholeState(weights, manifest.size, manifest.passes))
    except KeyError as error:
        raise ManifestError(f"the weights lack {words_of(error)}") from error


def _dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _dtype(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise ManifestError(f"tensors of type {name!r}; known are {', '.join(DTYPES)}")
    return DTYPES[name]
