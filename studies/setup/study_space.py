"""The search space of a study, and how wide its blocks are.

Blocks are as wide as all embeddings together, D, and the weights of a supernet grow with ``D²``: a log of very many
columns would get more of them than its rows can tell from each other, or than fit any machine. Where that is so and the
settings leave the width to the log, all embeddings are mapped to fewer features first.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from functools import lru_cache

import torch

from nas_fusion.bounds import AUTOMATIC
from nas_fusion.data import EncodedDataset
from nas_fusion.measures import parameters
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import FusionSpace, can_offer, space_of
from nas_fusion.settings import ComparisonSettings, ModelSettings
from nas_fusion.strategy import StrategyEntry
from nas_fusion.training import seeded

logger = logging.getLogger("nas_fusion")

FREE_WIDTH = 512
"""Embeddings of so many features together are taken as they are, however few rows there are."""

WIDEST = FREE_WIDTH
"""Blocks are made no wider than this by themselves, however many rows there are: the time of a step grows with the
square of the width."""

WEIGHTS_PER_ROW = 100
"""A wider supernet has at most so many weights, the embedding table aside, for every training row."""

NARROWEST = 64
"""Blocks are made no narrower than this; a log of a few hundred rows gets more weights per row."""


def make_space(settings: ComparisonSettings, dataset: EncodedDataset) -> FusionSpace:
    """The search space of a comparison, with fresh weights from the current random state.

    Raises:
        StudyError: a third party's space raised something, or is none.
    """
    return space_of(settings.model, fields_of(settings, dataset))


def settings_for(settings: ComparisonSettings, entry: StrategyEntry) -> ComparisonSettings:
    """The settings for one strategy: its own operations, where the user and the space leave them open.

    Raises:
        UnknownNameError: there is no such space.
    """
    own, model = entry.operations, settings.model
    if own is None or not can_offer(model.space, own):
        return settings
    return replace(settings, model=model.with_operations(own))


def fields_of(settings: ComparisonSettings, dataset: EncodedDataset) -> Fields:
    """The fields of a log, as wide as the settings say."""
    shapes = dataset.schema.field_shapes
    return Fields(shapes, settings.emb_dim, block_width(settings, len(shapes), len(dataset.train)))


def block_width(settings: ComparisonSettings, fields: int, rows: int) -> int:
    """The width of the blocks in use; 0: as wide as all embeddings together.

    Args:
        settings: of the comparison.
        fields: how many the log has.
        rows: how many it has to train on.
    """
    given = settings.model.block_width
    return _automatic(settings.model, settings.emb_dim, fields, rows) if given == AUTOMATIC else int(given)


def say_block_width(settings: ComparisonSettings, dataset: EncodedDataset) -> None:
    """Warn, once, where a width was chosen that is not the published one."""
    model, emb_dim, rows = settings.model, settings.emb_dim, len(dataset.train)
    width = fields_of(settings, dataset).block_width
    if model.block_width == AUTOMATIC and width:
        fields = len(dataset.schema.fields)
        _warn(width, fields, emb_dim, network_weights(model, fields * emb_dim), rows)


@lru_cache(maxsize=256)  # a study is assembled again when its recipe is chosen
def _warn(width: int, fields: int, emb_dim: int, weights: int, rows: int) -> None:
    widest, most = fields * emb_dim, WEIGHTS_PER_ROW * rows
    why = f"{rows:,} training rows can tell about {most:,} apart"
    if weights <= most:
        why = f"a step of it takes about {(widest / width) ** 2:.0f} times as long"
    logger.warning(
        "blocks are %s features wide instead of %s (%s fields of %s): a supernet of that width has %s weights besides "
        "the embeddings, and %s; --block-width says another width (0: %s)",
        f"{width:,}", f"{widest:,}", f"{fields:,}", emb_dim, f"{weights:,}", why, f"{widest:,}",
    )  # fmt: skip


@lru_cache(maxsize=256)
def _automatic(model: ModelSettings, emb_dim: int, fields: int, rows: int) -> int:
    most, widest = WEIGHTS_PER_ROW * rows, fields * emb_dim
    if widest <= FREE_WIDTH or network_weights(model, widest) == 0:
        return 0
    # In whole vectors, as `Fields` rounds.
    low, high = math.ceil(NARROWEST / emb_dim), min(fields, WIDEST // emb_dim + 1)
    while high - low > 1:
        middle = (low + high) // 2
        fits = network_weights(model, middle * emb_dim) + widest * middle * emb_dim <= most
        low, high = (middle, high) if fits else (low, middle)
    return min(low, fields) * emb_dim


@lru_cache(maxsize=256)
def network_weights(model: ModelSettings, width: int) -> int:
    """Weights of a supernet whose blocks have a width, the embedding table aside; nothing is allocated.

    0 where that cannot be told, because a third party's block looks at numbers.
    """
    try:
        with seeded(0), torch.device("meta"):  # shapes without numbers: no memory, no time
            space = space_of(model, Fields.of([1], width))
    except (RuntimeError, TypeError):
        return 0
    return parameters(space) - width
