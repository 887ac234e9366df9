"""From a raw click log to encoded, memory-mapped splits, and from those to whole batches."""

from nas_fusion.data.batch_loader import ALL_ROWS, Batch, BatchLoader, Share
from nas_fusion.data.click_model import synthetic_log
from nas_fusion.data.encoded_dataset import EncodedDataset, EncodedSplit, SearchData
from nas_fusion.data.log_summary import DataSummary, FieldSummary, describe
from nas_fusion.data.planted import TEACHERS, PlantedLog, Truth, at_levels, planted_truth
from nas_fusion.data.preparation import check_log, default_cache, prepare
from nas_fusion.data.schema import MISSING_ID, UNKNOWN_ID, Field, FieldKind, Schema
from nas_fusion.data.sources import LogForm, open_rows
from nas_fusion.log_formats import FORMATS
from nas_fusion.settings import DataOptions

__all__ = [
    "ALL_ROWS",
    "FORMATS",
    "MISSING_ID",
    "TEACHERS",
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
    "LogForm",
    "PlantedLog",
    "Schema",
    "SearchData",
    "Share",
    "Truth",
    "at_levels",
    "check_log",
    "default_cache",
    "describe",
    "open_rows",
    "planted_truth",
    "prepare",
    "synthetic_log",
]
