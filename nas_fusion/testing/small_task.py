"""A search that takes a fraction of a second."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nas_fusion.data import SearchData, prepare
from nas_fusion.registry import RegistryError
from nas_fusion.search import Budget, SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.training import TrainConfig

LOG = "synthetic:2000"
LEVELS = 2
EMB_DIM = 2
BATCH_SIZE = 256
BUDGET = "3x"
CANDIDATES = 4


def tiny_data(cache: Path) -> SearchData:
    """Training and validation rows of a synthetic log of 2,000 rows, encoded in the folder `cache`.

    The files of the test rows are deleted: a strategy that looks for them does not find them.
    """
    dataset = prepare(LOG, cache=cache)
    for file in dataset.path.glob("test_*"):
        file.unlink()
    return dataset.search_view()


def tiny_space(data: SearchData, levels: int = LEVELS) -> FusionSpace:
    """A space with small blocks for this log, with fresh weights."""
    return FusionSpace.for_schema(data.schema, levels=levels, emb_dim=EMB_DIM)


def tiny_task(
    data: SearchData, *, seed: int = 0, budget: str = BUDGET, candidates: int = CANDIDATES, levels: int = LEVELS
) -> SearchTask:
    """A search on the CPU, in three passes over the training rows or four candidates unless told otherwise.

    Args:
        data: see `tiny_data`.
        seed: of the cell.
        budget: as `nas_fusion.search.Budget.parse` reads it.
        candidates: into which a multi-trial strategy divides the budget.
        levels: of the space.
    """
    return SearchTask(
        data=data,
        make_space=partial(tiny_space, data, levels),
        config=TrainConfig(batch_size=BATCH_SIZE, device="cpu", seed=seed),
        budget=Budget.parse(budget, len(data.train)),
        candidates=candidates,
    )


def resolve_entry(name: str) -> StrategyEntry:
    """The entry that is registered under a name, or stands at ``package.module:ENTRY``.

    Raises:
        UnknownNameError: the name is not registered.
        RegistryError: there is no entry at that place.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        return STRATEGIES.get(name)
    from importlib import import_module

    try:
        entry = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise RegistryError(f"strategy {name!r} could not be loaded: {error!r}") from error
    if not isinstance(entry, StrategyEntry):
        raise RegistryError(f"strategy {name!r} must be a StrategyEntry, got {type(entry).__name__}")
    return entry
