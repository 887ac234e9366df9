"""Logs as streams of chunks: one reader per format of files, and one each for frames and the built-in log.

`open_source` gives a `Source`; `chunks_of` it are read by the room of encoding, of which nothing here knows.
"""

from nas_fusion.data.sources.chunk import Categories, Chunk, chunks_of
from nas_fusion.data.sources.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.readers import open_source
from nas_fusion.data.sources.source import ArrowRows, FileSource, Source

__all__ = [
    "ArrowRows",
    "Categories",
    "Chunk",
    "DelimitedSource",
    "FileHead",
    "FileSource",
    "Source",
    "chunks_of",
    "open_source",
]
