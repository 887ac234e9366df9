"""The registry of search spaces."""

from __future__ import annotations

from nas_fusion.registry import Registry
from nas_fusion.search_spaces.fusion.dcnv2 import DCNv2LowRankSpace, DCNv2Space
from nas_fusion.search_spaces.fusion.fusion_space import FusionSpace

SPACES: Registry[type] = Registry("search space", "nas_fusion.search_spaces", type)
"""Classes of search spaces by name; every one is a subclass of `FusionSpace` or takes the same arguments."""

SPACES.register("dcn", FusionSpace)
SPACES.register("dcnv2", DCNv2Space)
SPACES.register("dcnv2-low-rank", DCNv2LowRankSpace)
