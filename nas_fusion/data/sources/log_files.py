"""A log's files: where one lies (`LogFile`), its text (`LogText`), and its beginning, by which it is recognised."""

from __future__ import annotations

import codecs
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.fs

from nas_fusion.data.sources.cells import COMMON_RULES, CellRules
from nas_fusion.data.sources.text_encoding import UTF_8, Encoding, bad_bytes, codec_of, encoding_of, stranger
from nas_fusion.errors import DataError
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

READ_BYTES = 1 << 20
SNIFF_BYTES = 1 << 18
SNIFFED_LINES = 5
LONGEST_HEADER = 1 << 24
"""Bytes; a first line of more than that is none."""

MAGIC_BYTES = 16
"""More than any format's mark at the beginning of a file."""

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
"""Extensions of compressed files; whether one is compressed, its first bytes tell."""

LINE_END = re.compile(r"\r\n|\n|\r")
LINE_END_BYTES = re.compile(rb"[\r\n]")


@dataclass(frozen=True)
class LogFile:
    """A file, on the disk or on another file system.

    Args:
        name: as the user would name it: a path, or an address like ``s3://bucket/log.csv``.
        system: the file system (`pyarrow.fs`).
        path: within the file system.
        size: in bytes.
    """

    name: str
    system: pa.fs.FileSystem
    path: str
    size: int

    def open(self) -> pa.NativeFile:
        """The file as it lies there, to be read anywhere.

        Raises:
            DataError: it cannot be opened.
        """
        try:
            return self.system.open_input_file(self.path)
        except OSError as error:
            raise DataError(f"cannot be opened ({str(error).splitlines()[0]})", path=self.name) from error

    def stream(self, codec: str | None = None) -> pa.NativeFile:
        """The file from its beginning, decompressed by a codec of Arrow's.

        Raises:
            DataError: it cannot be opened.
        """
        try:
            return self.system.open_input_stream(self.path, compression=codec, buffer_size=READ_BYTES)
        except OSError as error:
            raise DataError(f"cannot be opened ({str(error).splitlines()[0]})", path=self.name) from error

    def digest(self) -> str:
        """A hash of its content and size, read in pieces."""
        digest = hashlib.blake2b(digest_size=32)
        size = 0
        with self.stream() as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
                size += len(piece)
        return f"{digest.hexdigest()}:{size}"


def local_file(path: str | Path) -> LogFile:
    """A file on the disk.

    Raises:
        DataError: there is no such file, or it is a folder.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise DataError("no such file", path=place)
    if not place.is_file():
        raise DataError("expected a file, found a folder", path=place)
    return LogFile(str(place), pyarrow.fs.LocalFileSystem(), str(place), place.stat().st_size)


@dataclass(frozen=True)
class LogText:
    """The text of a file.

    Args:
        file: where it lies.
        codec: what it is compressed by.
        encoding: of the text.
        mac: whether its lines end by a lone carriage return.
    """

    file: LogFile
    codec: str | None
    encoding: str
    mac: bool = False

    def open(self) -> pa.NativeFile:
        """The text from its beginning, as UTF-8 without a byte-order mark."""
        stream = self.file.stream(self.codec)
        if self.encoding != UTF_8:
            stream = pa.transcoding_input_stream(stream, self.encoding, UTF_8)
        if self.mac:
            stream = pa.input_stream(_MacLines(stream))
        return stream

    def lines(self) -> io.TextIOWrapper:
        """Its lines, to be read one after another."""
        stream = self.open()
        return io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline=None)


class _MacLines(io.RawIOBase):
    """A text whose lone carriage returns are read as line feeds."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found: bytes = self._stream.read(size if size >= 0 else None)
        return found.replace(b"\r", b"\n")


@dataclass(frozen=True)
class PartRules:
    """What the first part of a log says about all of its parts.

    Args:
        columns: of a text with a header, those of its header; a part without one has these.
        delimiter: of a delimited text.
        decimal: of numbers in a text.
        escapes: whether a backslash before a quote makes it plain.
        numbers: of a libsvm file, field → index of the fields that are numbers; None for other formats.
    """

    columns: tuple[str, ...] = ()
    delimiter: str = ""
    decimal: str = ""
    escapes: bool = False
    numbers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class LogForm:
    """How the cells of a log were read that a model learnt from: rows that it scores later have to be read so, too.

    Args:
        format: of the log; "frame" for rows that came from memory.
        typed: whether its cells had types; else all were text.
        marks: texts that are missing values.
        decimal: the decimal mark of its numbers.
        counts_clicks: whether a label is a number of clicks.
        numbers: of a libsvm or libffm log, field → index of the fields that are numbers; None for other formats.
    """

    format: str = ""
    typed: bool = True
    marks: tuple[str, ...] = COMMON_RULES.marks
    decimal: str = COMMON_RULES.decimal
    counts_clicks: bool = False
    numbers: Mapping[str, str] | None = None

    @property
    def rules(self) -> CellRules:
        """How cells that are text are read, wherever they come from."""
        return CellRules(self.marks, self.decimal)

    def to_dict(self) -> dict[str, Any]:
        """The form as plain values, for JSON."""
        return {**asdict(self), "marks": list(self.marks)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LogForm:
        """What `to_dict` made."""
        return cls(**{**content, "marks": tuple(content["marks"])})


class FileHead:
    """A file and its beginning; what is asked for is read once.

    Args:
        file: the file, or its path.
        options: say how its text is read.
        first: what the first part of the same log says, if this is another one.
        form: what the log says that a model learnt from, if this one is to be scored by it.

    Raises:
        DataError: there is no such file, or nothing in it.
    """

    def __init__(
        self,
        file: LogFile | Path,
        options: DataOptions = DEFAULT_OPTIONS,
        first: PartRules | None = None,
        form: LogForm | None = None,
    ) -> None:
        self.file = file if isinstance(file, LogFile) else local_file(file)
        self.options, self.first, self.form = options, first, form
        if self.file.size == 0:
            raise DataError("the file is empty", path=self.file.name)

    @property
    def suffix(self) -> str:
        """The extension in lower case."""
        return PurePosixPath(self.file.path).suffix.lower()

    @property
    def plain_suffix(self) -> str:
        """The extension in lower case, without that of the compression."""
        return PurePosixPath(self._uncompressed).suffix.lower()

    @property
    def plain_stem(self) -> str:
        """The name without extension and that of the compression."""
        return PurePosixPath(self._uncompressed).stem

    @property
    def _uncompressed(self) -> str:
        path = PurePosixPath(self.file.path)
        return path.stem if self.suffix in COMPRESSED else path.name

    @cached_property
    def magic(self) -> bytes:
        """The first bytes as they lie on the disk, for formats that begin with a mark."""
        with self.file.stream() as file:
            return bytes(file.read(MAGIC_BYTES))

    @cached_property
    def text(self) -> LogText:
        """How its text is read.

        Raises:
            DataError: the file is of a kind that is no text.
        """
        return LogText(self.file, codec_of(self.magic), self.encoding.name, self._is_mac)

    @cached_property
    def encoding(self) -> Encoding:
        """The encoding of its text."""
        return encoding_of(self._bytes, self.options.encoding)

    @cached_property
    def lines(self) -> list[str]:
        """The complete lines within the first 256 KiB of a text, decompressed; at least one.

        Raises:
            DataError: the file cannot be read as text.
        """
        lines = LINE_END.split(self._text)
        if not self._is_whole and len(lines) > 1:
            lines = lines[:-1]
        while lines and not lines[-1]:
            lines.pop()  # after the last line end
        if not any(line.strip() for line in lines):
            raise DataError("the file is empty", path=self.file.name)
        return lines

    @property
    def sniffed(self) -> list[str]:
        """The first few lines that are not blank.

        A ragged first line must not hide a format, so readers ask what `most` of them look like.
        """
        return [line for line in self.lines if line.strip()][:SNIFFED_LINES]

    @cached_property
    def _bytes(self) -> bytes:
        if problem := stranger(self.magic):
            raise DataError(problem, path=self.file.name)
        try:
            with self.file.stream(codec_of(self.magic)) as stream:
                head = bytes(stream.read(SNIFF_BYTES))
                while (
                    len(head) < LONGEST_HEADER and not LINE_END_BYTES.search(head) and (more := stream.read(len(head)))
                ):
                    head += more
                return head
        except OSError as error:
            raise DataError(f"cannot be read ({str(error).splitlines()[0]})", path=self.file.name) from error

    @cached_property
    def _text(self) -> str:
        name = self.encoding.name
        decoder = codecs.getincrementaldecoder("utf-8-sig" if name == UTF_8 else name)()
        try:
            # The last character of a longer text may be cut in two.
            text = decoder.decode(self._bytes, final=self._is_whole)
        except UnicodeError as error:
            line = self._bytes.count(b"\n", 0, getattr(error, "start", 0)) + 1
            raise DataError(bad_bytes(name, error), path=self.file.name, row=line) from error
        if "\0" in text:
            raise DataError("expected text, found binary data", path=self.file.name)
        return text

    @property
    def _is_whole(self) -> bool:
        """Whether the text may end here: all of it was read, as far as its length tells."""
        return len(self._bytes) < SNIFF_BYTES

    @property
    def _is_mac(self) -> bool:
        return "\r" in self._text and "\n" not in self._text


def most(answers: list[bool]) -> bool:
    """Whether more than half of the answers are true."""
    return sum(answers) * 2 > len(answers)
