"""What others would run instead: the sides that ours is compared with. Plain torch, or a library of its own."""

from pathlib import Path


def fuxictr_side_path() -> Path:
    """The script that FuxiCTR's own Python runs; it cannot be imported here."""
    return Path(__file__).with_name("fuxictr_side.py")
