"""Logs as streams of chunks: a reader per format of files (`formats`), and one each for frames and the built-in log.

`open_source` gives a `Source` (`open_rows` of rows that are to be scored), `chunks_of` reads it. Nothing here knows
what becomes of the rows.
"""

from nas_fusion.data.sources.cells import ArrowRows, Categories, CellRules
from nas_fusion.data.sources.chunk import Chunk, chunks_of
from nas_fusion.data.sources.frame import FEW, few_rows
from nas_fusion.data.sources.log_files import FileHead, LogForm
from nas_fusion.data.sources.readers import Log, check_columns, open_rows, open_source, usual_form
from nas_fusion.data.sources.source import FileSource, Source

__all__ = [
    "FEW",
    "ArrowRows",
    "Categories",
    "CellRules",
    "Chunk",
    "FileHead",
    "FileSource",
    "Log",
    "LogForm",
    "Source",
    "check_columns",
    "chunks_of",
    "few_rows",
    "open_rows",
    "open_source",
    "usual_form",
]
