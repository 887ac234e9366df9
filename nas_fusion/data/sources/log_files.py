"""`FileHead`: a log's file and its beginning, by which its format is recognised; and the hash of a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from nas_fusion.errors import DataError
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions

READ_BYTES = 1 << 20
SNIFF_BYTES = 1 << 18
SNIFFED_LINES = 5
MAGIC_BYTES = 16
"""More than any format's mark at the beginning of a file."""

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
"""Extensions that Arrow decompresses on the fly."""


@dataclass(frozen=True)
class FileHead:
    """A file and its beginning; what is asked for is read once.

    Args:
        path: the file.
        options: say how its text is read.

    Raises:
        DataError: there is no such file, or nothing in it.
    """

    path: Path
    options: DataOptions = DEFAULT_OPTIONS

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise DataError("no such file", path=self.path)
        if not self.path.is_file():
            raise DataError("expected a file, found a folder", path=self.path)
        if self.path.stat().st_size == 0:
            raise DataError("the file is empty", path=self.path)

    @property
    def plain_suffix(self) -> str:
        """The extension in lower case, without that of the compression."""
        return Path(self._uncompressed).suffix.lower()

    @property
    def plain_stem(self) -> str:
        """The name without extension and that of the compression."""
        return Path(self._uncompressed).stem

    @property
    def _uncompressed(self) -> str:
        return self.path.stem if self.path.suffix.lower() in COMPRESSED else self.path.name

    @cached_property
    def magic(self) -> bytes:
        """The first bytes as they lie on the disk, for formats that begin with a mark."""
        with self.path.open("rb") as file:
            return file.read(MAGIC_BYTES)

    @cached_property
    def lines(self) -> list[str]:
        """The complete lines within the first 256 KiB of a text, decompressed; at least one.

        Raises:
            DataError: the file cannot be read as text.
        """
        try:
            with pa.input_stream(str(self.path), compression="detect") as stream:
                head: bytes = stream.read(SNIFF_BYTES)
            # The last character of a longer text may be cut in two.
            text = head.decode("utf-8-sig", errors="strict" if len(head) < SNIFF_BYTES else "ignore")
        except (UnicodeDecodeError, OSError) as error:
            raise DataError(f"cannot be read as UTF-8 text ({error})", path=self.path) from error
        if "\0" in text:
            raise DataError("expected text, found binary data", path=self.path)
        lines = text.splitlines()
        if len(head) == SNIFF_BYTES and len(lines) > 1:
            lines = lines[:-1]
        if not any(line.strip() for line in lines):
            raise DataError("the file is empty", path=self.path)
        return lines

    @property
    def sniffed(self) -> list[str]:
        """The first few lines that are not blank.

        A ragged first line must not hide a format, so readers ask what `most` of them look like.
        """
        return [line for line in self.lines if line.strip()][:SNIFFED_LINES]


def most(answers: list[bool]) -> bool:
    """Whether more than half of the answers are true."""
    return sum(answers) * 2 > len(answers)


def file_digest(path: Path) -> str:
    """A hash of a file's content and size, read in pieces."""
    digest = hashlib.blake2b(digest_size=32)
    size = 0
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            size += len(piece)
    return f"{digest.hexdigest()}:{size}"
