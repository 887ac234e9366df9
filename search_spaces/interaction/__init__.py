"""A space of interactions, after AutoCTR: a directed acyclic graph of blocks on the raw features.

Song et al., "Towards Automated Neural Interaction Discovery for Click-Through Rate Prediction", KDD 2020. What is as
published and what is simpler stands in docs/guide/other-spaces.md.
"""

if __name__ != "nas_fusion.search_spaces.interaction":
    raise ImportError("import this package as nas_fusion.search_spaces.interaction, not as `interaction`")

from nas_fusion.search_spaces.interaction.interaction_design import KINDS, RAW, WIDE_KINDS, Block, InteractionDesign
from nas_fusion.search_spaces.interaction.interaction_network import InteractionNetwork, interaction_network, weights_of
from nas_fusion.search_spaces.interaction.interaction_space import DEFAULT_BLOCKS, InteractionSpace

__all__ = [
    "DEFAULT_BLOCKS",
    "KINDS",
    "RAW",
    "WIDE_KINDS",
    "Block",
    "InteractionDesign",
    "InteractionNetwork",
    "InteractionSpace",
    "interaction_network",
    "weights_of",
]
