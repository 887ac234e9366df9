"""The registry of search spaces, and how one is made from settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas_fusion.errors import NasFusionError, StudyError, words_of
from nas_fusion.field_shapes import plain_shapes
from nas_fusion.nn import Fields
from nas_fusion.registry import Registry
from nas_fusion.search_spaces.fusion.dcnv2 import DCNv2LowRankSpace, DCNv2Space
from nas_fusion.search_spaces.fusion.fusion_space import FusionSpace
from nas_fusion.search_spaces.wide.wide_space import WideSpace
from nas_fusion.settings import ModelSettings

SPACES: Registry[type] = Registry("search space", "nas_fusion.search_spaces", type)
"""Classes of search spaces by name; every one is a subclass of `FusionSpace` or takes the same arguments."""

SPACES.register("dcn", FusionSpace)
SPACES.register("dcnv2", DCNv2Space)
SPACES.register("dcnv2-low-rank", DCNv2LowRankSpace)
SPACES.register("wide", WideSpace)


def can_offer(space: str, operations: Sequence[str]) -> bool:
    """Whether a registered space knows operations, and has none of its own where nobody names any.

    Raises:
        UnknownNameError: there is no such space.
    """
    kind = SPACES.get(space)
    if not issubclass(kind, FusionSpace):
        return False
    return kind.leaves_operations_open and set(operations) <= set(kind.operation_types)


def space_of(model: ModelSettings, fields: Fields) -> FusionSpace:
    """The search space that settings name, with fresh weights from the current random state.

    Args:
        model: the settings; their widths are not looked at.
        fields: of the log, with the widths in use.

    Raises:
        UnknownNameError: there is no such space.
        StudyError: a third party's space raised something, or is none.
    """
    kind = SPACES.get(model.space)
    # A third party's space that has no such parameter is still one for logs that need none.
    options: dict[str, Any] = {"block_width": fields.block_width} if fields.block_width else {}
    if model.operation_names is not None:
        options["operations"] = model.operation_names
    try:
        space = kind(
            field_sizes=plain_shapes(fields.shapes),
            levels=model.levels,
            emb_dim=fields.emb_dim,
            product=model.product,
            batch_norm=model.batch_norm,
            dropout=model.dropout,
            **options,
        )
    except NasFusionError:
        raise
    except Exception as error:
        raise StudyError(f"search space {model.space!r} cannot be made: {words_of(error)}") from error
    if not isinstance(space, FusionSpace):
        raise StudyError(f"search space {model.space!r} must be a FusionSpace, got {kind.__name__}")
    return space
