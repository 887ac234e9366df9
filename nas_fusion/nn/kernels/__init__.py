"""What torch computes slowly on a CPU, computed in another way with the same result."""

from nas_fusion.nn.kernels.byte_dropout import ByteDropout
from nas_fusion.nn.kernels.embedding_table import EmbeddingTable

__all__ = ["ByteDropout", "EmbeddingTable"]
