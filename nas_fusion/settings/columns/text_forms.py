"""What may be said about a text file: its delimiter, its encoding."""

from __future__ import annotations

import codecs

from nas_fusion.errors import OptionError

DELIMITER_WORDS = {
    "tab": "\t",
    "space": " ",
    "comma": ",",
    "semicolon": ";",
    "bar": "|",
    "ctrl-a": "\x01",
    "^A": "\x01",
}
DELIMITER_FORM = f"one ASCII character (no quote, no line end), \\t, \\x01, or {', '.join(DELIMITER_WORDS)}"


def read_delimiter(given: str) -> str:
    """The delimiter that a text stands for: itself, its name, or an escape like ``\\x01``; empty if it is none."""
    found = DELIMITER_WORDS.get(given, given)
    if len(found) > 1 and found.startswith("\\") and found.isascii():
        try:
            found = codecs.decode(found, "unicode_escape")
        except UnicodeDecodeError:
            return ""
    return found if len(found) == 1 and found.isascii() and found not in '"\r\n\0' else ""


def checked_delimiter(given: object) -> str:
    """The delimiter that a value stands for.

    Raises:
        OptionError: it stands for none.
    """
    found = read_delimiter(given) if isinstance(given, str) else ""
    if not found:
        raise OptionError("delimiter", DELIMITER_FORM, given)
    return found


def is_encoding(given: str) -> bool:
    """Whether Python knows an encoding of this name."""
    try:
        "".encode(given)
    except (LookupError, ValueError):  # no such encoding, or one of no text
        return False
    return True
