"""A trained model that is saved and opened again, as a study does it, but in memory."""

from __future__ import annotations

from dataclasses import replace

from safetensors.torch import load, save
from torch import nn

from nas_fusion.nn import Ensemble
from nas_fusion.search import Retrained, SearchOutcome, SearchTask
from nas_fusion.search_spaces import SPACES
from nas_fusion.serving import LogFacts, ModelManifest, rebuilt, soft_form
from nas_fusion.settings import DataOptions, ModelSettings
from nas_fusion.strategy import StrategyEntry
from nas_fusion.training import WholeModel


def opened_again(entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome, retrained: Retrained) -> nn.Module:
    """The model of a task, made again from what a saved one holds of it.

    Args:
        entry: its strategy; need not be registered.
        task: of its search.
        outcome: of the search.
        retrained: the model.
    """
    data, model = task.data, retrained.model
    manifest = ModelManifest(
        strategy=entry.name,
        kind=entry.kind,
        seed=task.seed,
        mode=entry.mode,
        design=outcome.design,
        space=_settings_of(task),
        recipe=replace(task.config, members=len(model.members) if isinstance(model, Ensemble) else 1),
        log=LogFacts(data.name, data.fingerprint, (len(data.train), len(data.valid), 0), 0.5, DataOptions()),
        size=retrained.parameters,
        passes=model.passes if isinstance(model, WholeModel) else 0,
        soft=soft_form(outcome.soft) if entry.mode == "soft" and outcome.soft is not None else None,
    )
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    return rebuilt(ModelManifest.from_dict(manifest.to_dict()), data.schema, load(save(state)), entry)


def _settings_of(task: SearchTask) -> ModelSettings:
    space = task.make_space()
    return ModelSettings(
        space=next(name for name, kind in SPACES if kind is type(space)),
        levels=space.levels,
        emb_dim=space.fields.emb_dim,
        block_width=str(space.fields.block_width),
        operations=",".join(space.designs.operations),
        product=space.product,
        batch_norm=space.batch_norm,
        dropout=space.dropout,
    )
