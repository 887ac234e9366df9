"""The search space of a study."""

from __future__ import annotations

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import NasFusionError, StudyError, words_of
from nas_fusion.field_shapes import plain_shapes
from nas_fusion.search_spaces import SPACES, FusionSpace
from nas_fusion.settings import ComparisonSettings


def make_space(settings: ComparisonSettings, dataset: EncodedDataset) -> FusionSpace:
    """The search space of a comparison, with fresh weights from the current random state.

    Raises:
        StudyError: a third party's space raised something, or is none.
    """
    model, kind = settings.model, SPACES.get(settings.model.space)
    try:
        space = kind(
            field_sizes=plain_shapes(dataset.schema.field_shapes),
            levels=model.levels,
            emb_dim=settings.emb_dim,
            product=model.product,
            batch_norm=model.batch_norm,
            dropout=model.dropout,
        )
    except NasFusionError:
        raise
    except Exception as error:
        raise StudyError(f"search space {model.space!r} cannot be made: {words_of(error)}") from error
    if not isinstance(space, FusionSpace):
        raise StudyError(f"search space {model.space!r} must be a FusionSpace, got {kind.__name__}")
    return space
