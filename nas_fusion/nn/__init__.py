"""Building blocks of a CTR model: embedding, blocks, fusion operations, and the network that wires them."""

from nas_fusion.nn.blocks import CrossBlock, DeepBlock, HasConstantForm, LowRankCrossBlock, MatrixCrossBlock
from nas_fusion.nn.derived_nodes import HardFusion, NoInput, PassThrough, SoftFusion
from nas_fusion.nn.embedding import FieldEmbedding, Fields
from nas_fusion.nn.network import Ensemble, FusionNetwork
from nas_fusion.nn.operations import (
    OPERATION_TYPES,
    Add,
    Attention,
    Bilinear,
    Concat,
    FusionOperation,
    Product,
    ResidualProduct,
)
from nas_fusion.settings import ProductRule

__all__ = [
    "OPERATION_TYPES",
    "Add",
    "Attention",
    "Bilinear",
    "Concat",
    "CrossBlock",
    "DeepBlock",
    "Ensemble",
    "FieldEmbedding",
    "Fields",
    "FusionNetwork",
    "FusionOperation",
    "HardFusion",
    "HasConstantForm",
    "LowRankCrossBlock",
    "MatrixCrossBlock",
    "NoInput",
    "PassThrough",
    "Product",
    "ProductRule",
    "ResidualProduct",
    "SoftFusion",
]
