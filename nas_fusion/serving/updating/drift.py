"""How far later rows are from those of the training, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_fusion.data import EncodedSplit, Schema
from nas_fusion.serving.training_profile import FieldProfile, cells_of

MODERATE, STRONG = 0.1, 0.25
"""Of the population stability index, by the usual rule of thumb (Siddiqi, Credit Risk Scorecards, 2006)."""


@dataclass(frozen=True)
class FieldDrift:
    """One field, then (in the rows of the training) and now.

    Args:
        name: of the field.
        unknown_then, unknown_now: share of cells whose value has no id in the model as it was, 0 to 1.
        missing_then, missing_now: share of missing cells, 0 to 1.
        psi: population stability index, over missing, unknown, and the field's bins.
        added: values that got an id.
    """

    name: str
    unknown_then: float
    unknown_now: float
    missing_then: float
    missing_now: float
    psi: float
    added: int = 0

    @property
    def in_a_word(self) -> str:
        """How much that is."""
        return "strong" if self.psi >= STRONG else "moderate" if self.psi >= MODERATE else "little"


def drift_of(
    then: Sequence[FieldProfile], schema: Schema, split: EncodedSplit, added: Sequence[int]
) -> list[FieldDrift]:
    """The drift of every field, the strongest first.

    Args:
        then: of the training, one for every field.
        schema: of the later rows, whose vocabularies may have grown.
        split: the later rows.
        added: how many values every field got.
    """
    found = []
    for profile, cells, new in zip(then, cells_of(schema, split), added, strict=True):
        now = profile.of(cells)
        found.append(
            FieldDrift(
                profile.name, profile.unknown, now.unknown, profile.missing, now.missing,
                profile.stability_index(now), new,
            )
        )  # fmt: skip
    return sorted(found, key=lambda drift: -drift.psi)
