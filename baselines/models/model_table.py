"""The hand-made models by name: one line each; what a model is and may be stands in its own file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nas_fusion.baselines.models.dcn import DCN_ENTRY, DCNV2_PARALLEL_ENTRY, DCNV2_STACKED_ENTRY
from nas_fusion.baselines.models.deepfm import DEEPFM_ENTRY
from nas_fusion.baselines.models.edcn import EDCN_ENTRY
from nas_fusion.baselines.models.finalmlp import FINALMLP_ENTRY
from nas_fusion.baselines.models.fnn import FNN_ENTRY, WIDE_DEEP_ENTRY
from nas_fusion.baselines.models.handmade_model import HandMade
from nas_fusion.baselines.models.pnn import IPNN_ENTRY
from nas_fusion.baselines.models.xdeepfm import XDEEPFM_ENTRY

_ENTRIES = (
    FNN_ENTRY,
    WIDE_DEEP_ENTRY,
    IPNN_ENTRY,
    DEEPFM_ENTRY,
    DCN_ENTRY,
    XDEEPFM_ENTRY,
    DCNV2_STACKED_ENTRY,
    DCNV2_PARALLEL_ENTRY,
    EDCN_ENTRY,
    FINALMLP_ENTRY,
)

MODELS: Mapping[str, HandMade] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""Every hand-made model by name, oldest first."""
