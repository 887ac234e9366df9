"""Whether a comparison's models fit the machine: told by counting, before anything is built."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import OptionError
from nas_fusion.measures import parameters
from nas_fusion.settings import ComparisonSettings, ModelSettings, RunSettings
from nas_fusion.strategy import StrategyEntry
from nas_fusion.studies.setup.study_space import fields_of, make_space
from nas_fusion.training import seeded, torch_device
from nas_fusion.training.ranks import current_team

TRAINED = 5
"""Numbers per weight while training: itself, its gradient, Adam's two moments, and the best epoch's."""

BLOCK_FORMS = 5
"""Activations that each block of a supernet keeps for the backward pass, at least: its output, and four operations."""

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Need:
    """What the largest training of a comparison needs, at least.

    Args:
        weights: of the supernet, the embedding table among them.
        size: bytes, with all that training keeps.
    """

    weights: int
    size: int


def check_memory(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    entries: Iterable[StrategyEntry],
    *,
    processes: int = RunSettings.processes,
) -> None:
    """Refuse models that cannot fit the machine; nothing is allocated for that.

    What is estimated is less than what is needed, so that nothing is refused that would fit.

    Args:
        settings: of the comparison.
        dataset: the encoded log.
        entries: the strategies that are to run.
        processes: how many of them train at once; each by as many processes as a team has here.

    Raises:
        OptionError: they cannot; says what is needed, what there is, and what would fit.
    """
    processes *= current_team().here
    is_searched = any(entry.kind == "one-shot" and not entry.has_own_space for entry in entries)

    def need(model: ModelSettings) -> Need:
        return _need(replace(settings, model=model), dataset, is_searched, processes)

    model = settings.model
    found, most = need(model), memory(settings)
    if found.size <= most:
        return
    blocks = fields_of(settings, dataset).width
    fitting = _largest(lambda width: need(replace(model, emb_dim=width)).size <= most, settings.emb_dim)
    narrower = _largest(lambda width: need(replace(model, block_width=str(width))).size <= most, blocks)
    fields, levels = len(dataset.schema.fields), model.levels
    where = f"{fields:,} fields, {dataset.schema.num_features:,} features, {levels} levels and blocks {blocks:,} wide"
    where += f" and {processes} processes" if processes > 1 else ""
    cost = f"{found.weights:,} weights need at least {_gib(found.size)}, and there are {_gib(most)}"
    if fitting:
        other = f", or block_width at most {narrower:,}" if narrower else ""
        raise OptionError("emb_dim", f"at most {fitting} here{other}, with {where} ({cost})", settings.emb_dim)
    if narrower:
        raise OptionError(
            "block_width", f"at most {narrower:,} here, with {where} ({cost})", settings.model.block_width
        )
    raise OptionError("levels", f"less, or the log smaller: even emb_dim 1 does not fit {where} ({cost})", levels)


def memory(settings: ComparisonSettings) -> int:
    """Bytes of the device on which a comparison trains; of a container's machine, those that it may use."""
    device = torch_device(settings.train_config(rows=1))
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _CGROUP_LIMITS:
        if path.is_file() and (text := path.read_text("ascii").strip()).isdecimal():
            found = min(found, int(text))
    return found


def _need(settings: ComparisonSettings, dataset: EncodedDataset, is_searched: bool, processes: int) -> Need:
    table, network = _weights(settings, dataset)
    bytes_each = 8 if settings.precision == "64" else 4
    # The sparse optimiser has no gradient of the whole table.
    of_table = TRAINED - 1 if settings.recipe.embedding_optimizer != "adam" else TRAINED
    numbers = of_table * table + (TRAINED if is_searched else 1) * network
    if is_searched:
        rows = min(settings.batch_size(len(dataset.train)), len(dataset.train))
        width = fields_of(settings, dataset).width
        numbers += BLOCK_FORMS * (2 * settings.model.levels + 2) * rows * width
    return Need(table + network, processes * bytes_each * numbers)


def _weights(settings: ComparisonSettings, dataset: EncodedDataset) -> tuple[int, int]:
    """Weights of the embedding table, and of all else of a supernet."""
    table = sum(dataset.schema.field_sizes) * settings.emb_dim
    try:
        with seeded(0), torch.device("meta"):  # shapes without numbers: no memory, no time
            space = make_space(settings, dataset)
    except (RuntimeError, TypeError):  # a user's block looks at numbers: then only the table is known
        return table, 0
    return table, parameters(space) - table


def _largest(fits: Callable[[int], bool], too_large: int) -> int:
    """The largest width below `too_large` that fits; 0 if none does."""
    low, high = 0, too_large
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
