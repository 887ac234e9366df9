"""From what the user names to a `Source`.

A format of files is a `FileSource` and a line in `nas_fusion.log_formats`; a format that is registered later
is asked earlier whether a file is of it, so the one that takes any text is asked last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from pkgutil import resolve_name
from typing import NamedTuple, TypeAlias, cast

from nas_fusion.data.sources.file_places import PartFile, find_files, keys_of
from nas_fusion.data.sources.frame import Frame, frame_source
from nas_fusion.data.sources.log_files import FileHead, LogForm
from nas_fusion.data.sources.parts import Part, PartedSource
from nas_fusion.data.sources.source import ANY_TEXT, FileSource, Source
from nas_fusion.data.sources.synthetic import SYNTHETIC, drawn_source
from nas_fusion.errors import DataError, listed, nearest_first, shown
from nas_fusion.log_formats import AUTO, LOG_FORMATS, name_of_log
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

Files: TypeAlias = str | Path | Sequence[str | Path]
Log: TypeAlias = "Files | Frame"
"""What a log may be named by."""


def open_source(log: Log, options: DataOptions = DEFAULT_OPTIONS) -> Source:
    """The reader of a log; only the beginning of a file is read.

    Args:
        log: a file, a folder of part files, a pattern, or several of these (`find_files`); rows in memory
            (`frame_source`); or "synthetic", "synthetic:ROWS", "synthetic:ROWS:SEED", "synthetic:planted:TEACHER".
        options: name the format of a file ("auto" asks every format whether the file looks like it), and say how its
            text is read. A format may also be that of rows in memory or in Parquet, if it makes columns of others.

    Raises:
        DataError: no such file, an empty one, or one of another format.
        OptionError: a synthetic log of another form.
        UnknownNameError: no such format.
    """
    if isinstance(log, str) and SYNTHETIC.match(log):
        return drawn_source(log)
    if (files := _files(log)) is not None:
        return _open_files(files, find_files(files), options)
    source = frame_source(cast("Frame", log), options)
    named = reader_of(options.format).of_rows(source, options) if options.format != AUTO else None
    return named or source


def open_rows(rows: Log, columns: Collection[str], form: LogForm, options: DataOptions = DEFAULT_OPTIONS) -> Source:
    """The reader of rows that are to be scored: no label is needed, and other columns than these do not count.

    Cells are read as those of the log that the model learnt from, whatever the rows come as. A file's format is told by
    the file; where that tells nothing, it is the format of the log.

    Args:
        rows: whatever `open_source` takes.
        columns: that are going to be read.
        form: what the log says that the model learnt from.
        options: say how the text of a file is read.

    Raises:
        DataError: no such file, one of another format, or a column is missing; names all that are.
    """
    if isinstance(rows, str) and SYNTHETIC.match(rows):
        source: Source = drawn_source(rows)
    elif (files := _files(rows)) is not None:
        source = _open_files(files, _keyed(find_files(files), columns), options, Wanted(form, columns))
    else:
        source = frame_source(cast("Frame", rows), options)
        source.rules = form.rules
    source = _as_learnt(source, columns, form, options)
    check_columns(source, columns)
    return source


def _as_learnt(source: Source, columns: Collection[str], form: LogForm, options: DataOptions) -> Source:
    """Rows that have types, with columns that they lack and that the format of the model's log makes of others."""
    if not source.typed or set(columns) <= set(source.columns) or form.format not in LOG_FORMATS.names():
        return source
    try:
        made = reader_of(form.format).of_rows(source, options)
    except DataError:
        return source  # nor do they have what these are made of
    if made is None:
        return source
    made.rules = form.rules
    return made


def check_columns(source: Source, columns: Collection[str]) -> None:
    """Refuse rows that lack columns.

    Raises:
        DataError: some are missing; names all of them, and what there is, nearest first.
    """
    if missing := [name for name in columns if name not in source.columns]:
        known = listed(nearest_first(missing, source.columns))
        what = "the column" if len(missing) == 1 else f"{len(missing)} columns:"
        raise source.error(f"the rows lack {what} {listed(map(shown, missing))}; columns are {known}")


class Wanted(NamedTuple):
    """What is wanted of rows that are to be scored: the form of the log that the model learnt from, and columns."""

    form: LogForm
    columns: Collection[str]


def _files(log: Log) -> Files | None:
    """What names files; None for rows in memory."""
    if isinstance(log, str | Path):
        return log
    paths = [path for path in log if isinstance(path, str | Path)] if isinstance(log, Sequence) else []
    return paths if paths and len(paths) == len(cast("Sequence[object]", log)) else None


def _open_files(log: Files, files: Sequence[PartFile], options: DataOptions, wanted: Wanted | None = None) -> Source:
    """One file, or the parts of a log. What is guessed is guessed by one of them, for all."""
    form, columns = wanted or (None, None)
    named = _usual(files)
    head = FileHead(named.file, options, form=form)
    name = name_of_log(",".join(map(str, log)) if not isinstance(log, str | Path) else str(log))
    if options.format == AUTO:
        reader = recognise(head) if wanted is None else _recognise_again(head, wanted)
        return _parts(name, files, named, head, reader, columns)
    reader = reader_of(options.format)
    if not reader.magic and (marked := _by_mark(head)):  # a format of text is named, and the rows have types
        made = reader.of_rows(_parts(name, files, named, head, marked, columns), options)
        if made is None:
            problem = f"this is {marked.kind}, and the format {options.format} is one of text: leave --format out"
            raise DataError(problem, path=head.file.name)
        return made
    return _parts(name, files, named, head, reader, columns)


def _by_mark(head: FileHead) -> type[FileSource] | None:
    """The reader whose files begin with a mark as this one does; None if there is none."""
    readers = map(reader_of, LOG_FORMATS.names())
    return next((reader for reader in readers if reader.magic and head.magic.startswith(reader.magic)), None)


def _parts(
    name: str,
    files: Sequence[PartFile],
    named: PartFile,
    head: FileHead,
    reader: type[FileSource],
    columns: Collection[str] | None,
) -> Source:
    """The parts of a log, all read by one reader; `head` is the beginning of the one, `named`, that told which."""
    if len(files) == 1 and not named.keys:
        return reader(head)
    options, form = head.options, head.form
    leader = named if reader.magic else _with_usual_header(files, options)
    first = reader(FileHead(leader.file, options, form=form))
    others = {file: reader(FileHead(file.file, options, first.for_parts, form)) for file in files if file is not leader}
    return PartedSource(name, [Part(others.get(file, first), file.keys) for file in files], columns)


def _recognise_again(head: FileHead, wanted: Wanted) -> type[FileSource]:
    """The reader of a file to be scored: that of the model's log where nothing else claims it, and no header helps."""
    found, format = recognise(head), wanted.form.format
    if found.kind != ANY_TEXT or format == ANY_TEXT or format not in LOG_FORMATS.names() or reader_of(format).magic:
        return found
    named = reader_of(format)
    plain, own = (_opened(reader, head) for reader in (found, named))
    names, needed = set() if plain is None else set(plain.columns), set(wanted.columns)
    if needed <= names:
        return found
    if own is not None and own.has_header and needed <= set(own.columns):
        return named  # it makes some of them of others
    return found if needed & names else named


def _opened(reader: type[FileSource], head: FileHead) -> FileSource | None:
    """A file as a reader sees it; None if it cannot be read so."""
    try:
        return reader(head)
    except DataError:
        return None


def _keyed(files: Sequence[PartFile], columns: Collection[str]) -> list[PartFile]:
    """Files that also know what the folders above them say of these columns: one day of a log is named by itself."""
    keyed = []
    for file in files:
        above = {name: value for name, value in keys_of(file.file.path).items() if name in columns}
        keyed.append(PartFile(file.file, {**above, **file.keys}))
    return keyed


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


def usual_form(format: str, missing: Sequence[str], decimal: str | None) -> LogForm:
    """How the cells of a log were read, as far as its format and the options tell.

    Args:
        format: of the log; "frame" or "synthetic" for one that was no file.
        missing: further texts that are missing values.
        decimal: the decimal mark, if an option said it.
    """
    usual = LogForm(format)
    if format not in LOG_FORMATS.names():
        return replace(usual, marks=(*usual.marks, *missing))
    reader = reader_of(format)
    marks, decimal = (*reader.marks, *missing), decimal or usual.decimal
    return LogForm(format, reader.typed, marks, decimal, reader.counts_clicks)
