"""The weights of a model for the same fields with more values: new ones begin as the field's unknown value."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from nas_fusion.data import UNKNOWN_ID, Schema
from nas_fusion.errors import TrainingError
from nas_fusion.nn import FieldEmbedding
from nas_fusion.serving.model_manifest import ModelManifest, SoftForm
from nas_fusion.serving.module_rebuilding import new_module
from nas_fusion.serving.saved_model import SavedModel
from nas_fusion.training import WholeModel

TABLE = "table.weight"
"""Of a `FieldEmbedding`."""


def grown_manifest(manifest: ModelManifest, old: Schema, new: Schema) -> ModelManifest:
    """The same model for a schema with more values: a soft model's supernet has a larger table, too."""
    if manifest.soft is None:
        return manifest
    weights = {
        name: (kind, (new.num_features, *shape[1:]) if _is_table(name, shape, old) else shape)
        for name, (kind, shape) in manifest.soft.weights.items()
    }
    return replace(manifest, soft=SoftForm(manifest.soft.mixture, weights))


def _is_table(name: str, shape: tuple[int, ...], schema: Schema) -> bool:
    return name.endswith(TABLE) and len(shape) == 2 and shape[0] == schema.num_features


def grown_module(model: SavedModel, schema: Schema) -> nn.Module:
    """A module that says of known values what the model says, and of new ones what it says of unknown ones.

    Args:
        model: a network.
        schema: with the same fields, some of which have more values behind those that they had.

    Raises:
        TrainingError: the model is no network, or has other weights per value than embeddings.
    """
    old = model.module
    if isinstance(old, WholeModel):
        raise TrainingError(
            f"{model.manifest.title} is no network that can go on from its weights: fit it anew on old and new rows"
        )
    new = new_module(grown_manifest(model.manifest, model.schema, schema), schema)
    before, after = old.state_dict(), new.state_dict()
    embeddings = {name: module for name, module in new.named_modules() if isinstance(module, FieldEmbedding)}
    olds = dict(old.named_modules())
    tables = {}
    for name, embedding in embeddings.items():
        earlier = olds.get(name)
        assert isinstance(earlier, FieldEmbedding), name
        key = f"{name}.{TABLE}".removeprefix(".")
        tables[key] = _grown_table(before[key], earlier, embedding)
    for key, tensor in after.items():
        if key not in before or (key not in tables and before[key].shape != tensor.shape):
            raise TrainingError(f"{model.manifest.title}: {key} has a row for every value and is no embedding")
    new.load_state_dict({**before, **tables})
    return new


def _grown_table(weight: Tensor, old: FieldEmbedding, new: FieldEmbedding) -> Tensor:
    """A table with the old rows in their fields' places, and the unknown value's row for every new value."""
    sizes = [(a.size, b.size) for a, b in zip(old.fields.shapes, new.fields.shapes, strict=True)]
    parts, first = [], 0
    for before, after in sizes:
        parts.append(weight[first : first + before])
        if after > before:
            parts.append(weight[first + UNKNOWN_ID].expand(after - before, -1))
        first += before
    return torch.cat(parts)
