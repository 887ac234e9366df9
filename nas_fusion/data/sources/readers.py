"""From what the user names to a `Source`.

A format of files is a `FileSource` and a line in `nas_fusion.log_formats`; a format that is registered later
is asked earlier whether a file is of it, so the one that takes any text is asked last.
"""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from nas_fusion.data.sources.frame import FrameSource
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.source import FileSource, Source
from nas_fusion.data.sources.synthetic import SYNTHETIC, SyntheticSource
from nas_fusion.errors import DataError
from nas_fusion.log_formats import AUTO, LOG_FORMATS
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

if TYPE_CHECKING:
    import pandas as pd


def open_source(log: str | Path | pd.DataFrame, options: DataOptions = DEFAULT_OPTIONS) -> Source:
    """The reader of a log; only the beginning of a file is read.

    Args:
        log: a file; a pandas frame; or "synthetic", "synthetic:ROWS", "synthetic:ROWS:SEED".
        options: name the format of a file ("auto" asks every format whether the file looks like it), and say how its
            text is read.

    Raises:
        DataError: no such file, an empty one, or one of another format.
        OptionError: a synthetic log of another form.
        UnknownNameError: no such format.
    """
    if not isinstance(log, str | Path):
        return FrameSource(log, options)
    if isinstance(log, str) and SYNTHETIC.match(log):
        return SyntheticSource.named(log)
    head = FileHead(Path(log), options)
    reader = recognise(head) if options.format == AUTO else reader_of(options.format)
    return reader(head)


def recognise(head: FileHead) -> type[FileSource]:
    """The reader of the format that a file looks like.

    Raises:
        DataError: it looks like none.
    """
    for name in reversed(LOG_FORMATS.names()):
        if (reader := reader_of(name)).recognises(head):
            return reader
    raise DataError("a file of no known format", path=head.file.name)


def reader_of(format: str) -> type[FileSource]:
    """The reader of a format.

    Raises:
        UnknownNameError: no such format; lists the known ones, nearest first.
    """
    reader: type[FileSource] = resolve_name(LOG_FORMATS.get(format).reader)
    return reader
