"""What batch norm needs of a training: two rows a batch, and running statistics of the weights as they are."""

from nas_fusion.training.batch_norm.running_statistics import (
    FirstBatchesCount,
    FreshStatistics,
    estimate_statistics,
    norms_of,
)
from nas_fusion.training.batch_norm.shared_norms import SharedBatchNorm1d, sharing_norms
from nas_fusion.training.batch_norm.single_rows import spare_single_rows

__all__ = [
    "FirstBatchesCount",
    "FreshStatistics",
    "SharedBatchNorm1d",
    "estimate_statistics",
    "norms_of",
    "sharing_norms",
    "spare_single_rows",
]
