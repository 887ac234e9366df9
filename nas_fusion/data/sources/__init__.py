"""Logs as streams of chunks: a reader per format of files (`formats`), and one each for frames and the built-in log.

`open_source` gives a `Source`, `chunks_of` reads it. Nothing here knows what becomes of the rows.
"""

from nas_fusion.data.sources.chunk import Categories, Chunk, chunks_of
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.readers import open_source
from nas_fusion.data.sources.source import ArrowRows, FileSource, Source

__all__ = [
    "ArrowRows",
    "Categories",
    "Chunk",
    "FileHead",
    "FileSource",
    "Source",
    "chunks_of",
    "open_source",
]
