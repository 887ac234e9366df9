"""From what the user names to a `Source`.

A format of files is a `FileSource` and a line in `nas_fusion.log_formats`; a format that is registered later
is asked earlier whether a file is of it, so the one that takes any text is asked last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from pkgutil import resolve_name
from typing import TYPE_CHECKING, TypeAlias

from nas_fusion.data.sources.file_places import PartFile, find_files
from nas_fusion.data.sources.frame import FrameSource
from nas_fusion.data.sources.log_files import FileHead
from nas_fusion.data.sources.parts import Part, PartedSource
from nas_fusion.data.sources.source import FileSource, Source
from nas_fusion.data.sources.synthetic import SYNTHETIC, SyntheticSource
from nas_fusion.errors import DataError
from nas_fusion.log_formats import AUTO, LOG_FORMATS, name_of_log
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

if TYPE_CHECKING:
    import pandas as pd


Log: TypeAlias = "str | Path | Sequence[str | Path] | pd.DataFrame"
"""What a log may be named by."""


def open_source(log: Log, options: DataOptions = DEFAULT_OPTIONS) -> Source:
    """The reader of a log; only the beginning of a file is read.

    Args:
        log: a file, a folder of part files, a pattern, or several of these (`find_files`); a pandas frame; or
            "synthetic", "synthetic:ROWS", "synthetic:ROWS:SEED".
        options: name the format of a file ("auto" asks every format whether the file looks like it), and say how its
            text is read.

    Raises:
        DataError: no such file, an empty one, or one of another format.
        OptionError: a synthetic log of another form.
        UnknownNameError: no such format.
    """
    if isinstance(log, str) and SYNTHETIC.match(log):
        return SyntheticSource.named(log)
    if isinstance(log, str | Path | Sequence):
        return _open_files(log, find_files(log), options)
    return FrameSource(log, options)


def _open_files(log: str | Path | Sequence[str | Path], files: Sequence[PartFile], options: DataOptions) -> Source:
    """One file, or the parts of a log. What is guessed is guessed by one of them, for all."""
    named = _usual(files)
    head = FileHead(named.file, options)
    reader = recognise(head) if options.format == AUTO else reader_of(options.format)
    if len(files) == 1 and not named.keys:
        return reader(head)
    leader = named if reader.magic else _with_usual_header(files, options)
    first = reader(FileHead(leader.file, options))
    others = {file: reader(FileHead(file.file, options, first.for_parts)) for file in files if file is not leader}
    name = name_of_log(",".join(map(str, log)) if not isinstance(log, str | Path) else str(log))
    return PartedSource(name, [Part(others.get(file, first), file.keys) for file in files])


def _usual(files: Sequence[PartFile]) -> PartFile:
    """The first file whose extension most of them have."""
    suffixes = Counter(PurePosixPath(file.file.path).suffix for file in files)
    usual = suffixes.most_common(1)[0][0]
    return next(file for file in files if PurePosixPath(file.file.path).suffix == usual)


def _with_usual_header(files: Sequence[PartFile], options: DataOptions) -> PartFile:
    """The largest file that begins as most do, if two do: with the header, which some parts may lack."""
    begins = {place: FileHead(file.file, options).sniffed[0] for place, file in enumerate(files)}
    line, times = Counter(begins.values()).most_common(1)[0]
    alike = [files[place] for place, begin in begins.items() if begin == line]
    return max(alike, key=lambda file: file.file.size) if times > 1 else files[0]


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
