"""Logs as streams of chunks: a reader per format of files (`formats`), and one each for frames and the built-in log.

`open_source` gives a `Source`, `chunks_of` reads it. Nothing here knows what becomes of the rows.
"""

from nas_fusion.data.sources.cells import ArrowRows, Categories, CellRules
from nas_fusion.data.sources.chunk import Chunk, chunks_of
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.readers import open_source
from nas_fusion.data.sources.source import FileSource, Source

__all__ = [
    "ArrowRows",
    "Categories",
    "CellRules",
    "Chunk",
    "FileHead",
    "FileSource",
    "Source",
    "chunks_of",
    "open_source",
]
