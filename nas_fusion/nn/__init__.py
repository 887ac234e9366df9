"""Building blocks of a CTR model: embedding, blocks, fusion operations, and the network that wires them."""

from nas_fusion.nn.blocks import CrossBlock, DeepBlock, LowRankCrossBlock, MatrixCrossBlock
from nas_fusion.nn.embedding import FieldEmbedding, Fields
from nas_fusion.nn.fusion import HardFusion, PassThrough, SoftFusion
from nas_fusion.nn.network import FusionNetwork
from nas_fusion.nn.operations import Add, Attention, Concat, FusionOperation, Product, ProductRule

__all__ = [
    "Add",
    "Attention",
    "Concat",
    "CrossBlock",
    "DeepBlock",
    "FieldEmbedding",
    "Fields",
    "FusionNetwork",
    "FusionOperation",
    "HardFusion",
    "LowRankCrossBlock",
    "MatrixCrossBlock",
    "PassThrough",
    "Product",
    "ProductRule",
    "SoftFusion",
]
