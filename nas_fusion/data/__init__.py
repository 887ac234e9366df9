"""From a raw click log to encoded, memory-mapped splits, and from those to whole batches."""

from nas_fusion.bounds import FORMATS
from nas_fusion.data._dataset import EncodedDataset, EncodedSplit, SearchData
from nas_fusion.data._describe import DataSummary, FieldSummary, describe
from nas_fusion.data._loader import Batch, BatchLoader
from nas_fusion.data._options import DataOptions
from nas_fusion.data._prepare import check_log, default_cache, prepare
from nas_fusion.data._schema import MISSING_ID, UNKNOWN_ID, Field, FieldKind, Schema
from nas_fusion.data.synthetic import synthetic_log

__all__ = [
    "FORMATS",
    "MISSING_ID",
    "UNKNOWN_ID",
    "Batch",
    "BatchLoader",
    "DataOptions",
    "DataSummary",
    "EncodedDataset",
    "EncodedSplit",
    "Field",
    "FieldKind",
    "FieldSummary",
    "Schema",
    "SearchData",
    "check_log",
    "default_cache",
    "describe",
    "prepare",
    "synthetic_log",
]
