"""A supernet of choice blocks with dense and sparse operators, after NASRec.

Zhang et al., "NASRec: Weight Sharing Neural Architecture Search for Recommender Systems", WWW 2023. What is as
published and what is simpler stands in docs/guide/other-spaces.md.
"""

if __name__ != "nas_fusion.search_spaces.nasrec":
    raise ImportError("import this package as nas_fusion.search_spaces.nasrec, not as `nasrec`")

from nas_fusion.search_spaces.nasrec.nasrec_design import (
    DENSE_OPERATORS,
    MOST_INPUTS,
    RAW,
    SPARSE_OPERATORS,
    BlockChoice,
    NasRecDesign,
)
from nas_fusion.search_spaces.nasrec.nasrec_network import NasRecNetwork, nasrec_network, weights_of
from nas_fusion.search_spaces.nasrec.nasrec_space import DEFAULT_BLOCKS, VECTORS, NasRecSpace
from nas_fusion.search_spaces.nasrec.nasrec_supernet import NasRecSupernet

__all__ = [
    "DEFAULT_BLOCKS",
    "DENSE_OPERATORS",
    "MOST_INPUTS",
    "RAW",
    "SPARSE_OPERATORS",
    "VECTORS",
    "BlockChoice",
    "NasRecDesign",
    "NasRecNetwork",
    "NasRecSpace",
    "NasRecSupernet",
    "nasrec_network",
    "weights_of",
]
