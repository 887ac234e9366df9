"""The hash that a hashed field's ids come from: pandas', which is SipHash-2-4 (Aumasson and Bernstein, 2012), mixed."""

from __future__ import annotations

MASK = (1 << 64) - 1
KEY = tuple(int.from_bytes(half, "little") for half in (b"01234567", b"89123456"))


def pandas_hash(text: str) -> int:
    """The hash of a text, from 0 to 2^64 - 1."""
    found = siphash(text.encode())
    found = (found ^ found >> 30) * 0xBF58476D1CE4E5B9 & MASK
    found = (found ^ found >> 27) * 0x94D049BB133111EB & MASK
    return found ^ found >> 31


def siphash(data: bytes) -> int:
    """SipHash-2-4, from 0 to 2^64 - 1."""
    start = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    v = [number ^ half for number, half in zip(start, KEY * 2, strict=True)]
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for place in range(0, len(padded), 8):
        word = int.from_bytes(padded[place : place + 8], "little")
        v[3] ^= word
        v = _round(_round(v))
        v[0] ^= word
    v[2] ^= 0xFF
    v = _round(_round(_round(_round(v))))
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _round(v: list[int]) -> list[int]:
    a, b, c, d = v
    a, c = (a + b) & MASK, (c + d) & MASK
    b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
    a = _rotated(a, 32)
    c, a = (c + b) & MASK, (a + d) & MASK
    b, d = _rotated(b, 17) ^ c, _rotated(d, 21) ^ a
    return [a, b, _rotated(c, 32), d]


def _rotated(x: int, bits: int) -> int:
    return (x << bits | x >> 64 - bits) & MASK
