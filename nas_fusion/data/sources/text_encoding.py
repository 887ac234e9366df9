"""How the bytes of a text file are read: what they are compressed by, and which encoding they are in."""

from __future__ import annotations

import codecs
from typing import NamedTuple

from nas_fusion.errors import shown

UTF_8 = "utf-8"

BOMS = {
    codecs.BOM_UTF8: UTF_8,
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks, and the encoding that each stands for."""

CODECS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
"""First bytes of what Arrow decompresses on the fly."""

STRANGERS = {
    b"PK\x03\x04": "a zip archive (or an Excel workbook)",
    b"\xfd7zXZ\x00": "packed by xz",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\xff\x06\x00\x00sNaPpY": "packed by snappy",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}
"""First bytes of files that nothing here reads."""

REMEDY = "write it as Parquet, or as CSV, plain or packed by gzip"

JUDGED_BYTES = 1 << 12
ZERO_SHARE = 0.7
"""UTF-16 without a mark: nearly every second byte of Western text is zero, on one side only."""


class Encoding(NamedTuple):
    """An encoding, and why it was taken; empty if somebody named it, or if it is UTF-8 without further ado."""

    name: str
    why: str


def codec_of(head: bytes) -> str | None:
    """What a file is compressed by, told by its first bytes; None if by nothing that Arrow knows."""
    return next((codec for magic, codec in CODECS.items() if head.startswith(magic)), None)


def stranger(head: bytes) -> str:
    """What a file is that nothing here reads, and what helps; empty if it is none."""
    what = next((what for magic, what in STRANGERS.items() if head.startswith(magic)), "")
    return f"this is {what}: {REMEDY}" if what else ""


def encoding_of(head: bytes, asked: str | None) -> Encoding:
    """The encoding of a text that begins like this.

    Args:
        head: its first bytes, decompressed.
        asked: the encoding that the user names.
    """
    if asked is not None:
        return Encoding(codecs.lookup(asked).name, "")
    for mark, name in BOMS.items():
        if head.startswith(mark):
            return Encoding(name, "" if name == UTF_8 else "its byte-order mark")
    sides = [head[side:JUDGED_BYTES:2] for side in (0, 1)]
    zeros = [side.count(0) / len(side) if side else 0.0 for side in sides]
    if max(zeros) > ZERO_SHARE and min(zeros) < 1 - ZERO_SHARE:
        return Encoding("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le", "every second byte is zero")
    return Encoding(UTF_8, "")


def bad_bytes(name: str, error: UnicodeDecodeError | UnicodeError) -> str:
    """What is wrong with bytes that are not of an encoding, and what helps."""
    byte = f" (byte 0x{error.object[error.start]:02x})" if isinstance(error, UnicodeDecodeError) else ""
    return (
        f"not {name.upper()} text{byte}: name its encoding, --encoding latin-1 for instance, instead of {shown(name)}"
    )
