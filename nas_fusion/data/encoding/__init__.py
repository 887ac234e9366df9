"""From the rows of a log to ids and values, in three readings of bounded memory.

`plan_reading` finds the columns; `scan_rows` reads labels and splits; `fit_encoding` fits the fields on the training
rows; `write_dataset` encodes all rows into the folder of an encoded data set. Each hands one value to the next.
"""

from nas_fusion.data.encoding.dataset_writer import write_dataset
from nas_fusion.data.encoding.field_warnings import UNKNOWN_SHARE, UnknownCells
from nas_fusion.data.encoding.fitted_encoding import EncodedRows, FittedEncoding
from nas_fusion.data.encoding.fitting import Fit, fit_encoding
from nas_fusion.data.encoding.kinds import NotPlain
from nas_fusion.data.encoding.reading_plan import ReadingPlan, plan_reading
from nas_fusion.data.encoding.scan import Progress, Scan, scan_rows

__all__ = [
    "UNKNOWN_SHARE",
    "EncodedRows",
    "Fit",
    "FittedEncoding",
    "NotPlain",
    "Progress",
    "ReadingPlan",
    "Scan",
    "UnknownCells",
    "fit_encoding",
    "plan_reading",
    "scan_rows",
    "write_dataset",
]
