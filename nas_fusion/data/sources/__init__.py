"""Logs as streams of chunks: one reader per format of files, and one each for frames and the built-in log.

`open_log` gives a `Source`; its `chunks` are read by the room of encoding, of which nothing here knows.
"""

from nas_fusion.data.sources.chunk import ArrowRows, Categories, Chunk
from nas_fusion.data.sources.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.readers import open_log
from nas_fusion.data.sources.source import FileSource, Source

__all__ = [
    "ArrowRows",
    "Categories",
    "Chunk",
    "DelimitedSource",
    "FileHead",
    "FileSource",
    "Source",
    "open_log",
]
