"""`Blend`: several models of one log, whose logits are averaged; networks and boosted trees err in different ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import nn

from nas_fusion.architecture import Architecture
from nas_fusion.data import EncodedSplit
from nas_fusion.serving.model_manifest import BLEND, ModelManifest, member_words
from nas_fusion.settings import TrainConfig
from nas_fusion.training import WholeModel, predict_logits


class Blend(WholeModel):
    """The mean of several models' logits.

    Args:
        parts: trained on the same log, and so with the same encoding.
        configs: their recipes.
    """

    carried_by = (
        "a blend is served by nasfusion predict; for other services take its network alone, whose folder nasfusion fit "
        "names at its end, or nasfusion fit --no-blend"
    )

    def __init__(self, parts: Sequence[nn.Module], configs: Sequence[TrainConfig]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.configs = [replace(config, device="cpu") for config in configs]
        self.size, self.passes = 0, 0

    def split_logits(self, split: EncodedSplit) -> npt.NDArray[np.float64]:
        """The logits of all rows of a split, float64 ``[rows]``."""
        logits = [predict_logits(part, split, config) for part, config in zip(self.parts, self.configs, strict=True)]
        return np.mean([np.asarray(one, np.float64) for one in logits], axis=0)


class BlendPart(Protocol):
    """A trained model that is blended: a `nas_fusion.serving.SavedModel`, for one."""

    manifest: ModelManifest
    module: nn.Module


def blend_of(parts: Sequence[BlendPart]) -> tuple[Blend, ModelManifest]:
    """The mean of models, and what it says of itself; its metrics are still to be measured.

    Args:
        parts: at least two, of the same log; recipe and space of the first one stand for all.
    """
    manifests = [part.manifest for part in parts]
    first = manifests[0]
    blend = Blend([part.module for part in parts], [manifest.recipe for manifest in manifests])
    words = " + ".join(map(member_words, manifests))
    design = Architecture.build(BLEND, {"parts": [manifest.title for manifest in manifests]}, words)
    bare = [replace(one, metrics={}, versions={}, created="", notes={}, files={}) for one in manifests]
    manifest = replace(
        first,
        strategy=BLEND,
        kind="reference",
        mode="hard",
        design=design,
        metrics={},
        size=sum(one.size for one in manifests),
        passes=0,
        soft=None,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        notes={"parts_valid_auc": [one.metrics["valid"]["auc"] for one in manifests]},
        files={},
        parts=tuple(bare),
    )
    return blend, manifest
