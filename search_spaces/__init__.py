"""The fusion search spaces: `FusionSpace`, an NNI mutable module, and its supernet form for each one-shot strategy;
and what the parts of its designs cost (`multiply_add_table`, `parameter_table`, `measure_latency_table`).

A third party adds a space by an entry point of the group ``nas_fusion.search_spaces``.
"""

if __name__ != "nas_fusion.search_spaces":
    raise ImportError("import this package as nas_fusion.search_spaces, not as `search_spaces`")

from nas_fusion.nn.mixture import gated
from nas_fusion.search_spaces.fusion.counted_costs import multiply_add_table, parameter_table
from nas_fusion.search_spaces.fusion.dcnv2 import DCNv2LowRankSpace, DCNv2Space
from nas_fusion.search_spaces.fusion.design_repair import Scores, make_affordable, make_legal
from nas_fusion.search_spaces.fusion.design_set import DesignSet
from nas_fusion.search_spaces.fusion.different_designs import canonical, coded_design, design_code, different_designs
from nas_fusion.search_spaces.fusion.fusion_node import FusionNode, SupernetNode, scores_of
from nas_fusion.search_spaces.fusion.fusion_space import DEFAULT_LEVELS, FusionSpace, LegalChoices
from nas_fusion.search_spaces.fusion.timed_costs import measure_latency_table, timing_designs
from nas_fusion.search_spaces.fusion.variant_block import MixedBlock, SupernetBlock, VariantBlock
from nas_fusion.search_spaces.known_spaces import SPACES, can_offer, space_of
from nas_fusion.search_spaces.wide.wide_space import WideSpace
from nas_fusion.settings import DEFAULT_EMB_DIM

__all__ = [
    "DEFAULT_EMB_DIM",
    "DEFAULT_LEVELS",
    "SPACES",
    "DCNv2LowRankSpace",
    "DCNv2Space",
    "DesignSet",
    "FusionNode",
    "FusionSpace",
    "LegalChoices",
    "MixedBlock",
    "Scores",
    "SupernetBlock",
    "SupernetNode",
    "VariantBlock",
    "WideSpace",
    "can_offer",
    "canonical",
    "coded_design",
    "design_code",
    "different_designs",
    "gated",
    "make_affordable",
    "make_legal",
    "measure_latency_table",
    "multiply_add_table",
    "parameter_table",
    "scores_of",
    "space_of",
    "timing_designs",
]
