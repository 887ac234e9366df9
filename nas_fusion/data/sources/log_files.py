"""Opening, hashing and sniffing files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from nas_fusion.errors import DataError

READ_BYTES = 1 << 20
SNIFF_BYTES = 1 << 18
COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
"""Extensions that Arrow decompresses on the fly."""


def check_file(path: Path) -> Path:
    """Return `path` if it is a file with content.

    Raises:
        DataError: it is not.
    """
    if not path.exists():
        raise DataError("no such file", path=path)
    if not path.is_file():
        raise DataError("expected a file, found a folder", path=path)
    if path.stat().st_size == 0:
        raise DataError("the file is empty", path=path)
    return path


def file_digest(path: Path) -> str:
    """A hash of a file's content and size, read in pieces."""
    digest = hashlib.blake2b(digest_size=32)
    size = 0
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            size += len(piece)
    return f"{digest.hexdigest()}:{size}"


def plain_suffix(path: Path) -> str:
    """The extension in lower case, without that of the compression."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() in COMPRESSED else path.suffix.lower()


def plain_stem(path: Path) -> str:
    """The name without extension and that of the compression."""
    return Path(path.stem).stem if path.suffix.lower() in COMPRESSED else path.stem


def first_lines(path: Path) -> list[str]:
    """The complete lines within the first 256 KiB of a text, decompressed; at least one.

    Raises:
        DataError: the file cannot be read as text.
    """
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            head: bytes = stream.read(SNIFF_BYTES)
        text = head.decode("utf-8-sig", errors="strict" if len(head) < SNIFF_BYTES else "ignore")
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"cannot be read as UTF-8 text ({error})", path=path) from error
    if "\0" in text:
        raise DataError("expected text, found binary data", path=path)
    lines = text.splitlines()
    if len(head) == SNIFF_BYTES and len(lines) > 1:
        lines = lines[:-1]
    if not any(line.strip() for line in lines):
        raise DataError("the file is empty", path=path)
    return lines
