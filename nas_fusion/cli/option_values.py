"""What a text on the command line means as the value of an option.

What needs neither the log nor anything slow is checked here, as it is read; settings check the same bounds again for
presets, study files and Python.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError, UsageError, shown
from nas_fusion.settings import Option


def read_values(option: Option, flag: str, texts: Sequence[str]) -> object:
    """What was given: a tuple for an option that may be repeated; for others, the last one counts.

    Args:
        option: which one.
        flag: as the user writes it.
        texts: what was given, at least one.

    Raises:
        UsageError: a text is not allowed; says what is.
    """
    values = tuple(_READERS[option.kind](option, flag, text) for text in texts)
    return values if option.repeated else values[-1]


def _number(option: Option, flag: str, text: str) -> object:
    bound = option.bound
    assert bound is not None, "every number has one"
    found = bound.read(text)
    if found is None and option.zero and Bound(0, 0, bound.integer).read(text) is not None:
        return 0 if bound.integer else 0.0
    if found is None:
        raise _refused(flag, f"0 or {bound}" if option.zero else str(bound), text)
    return found


def _word(option: Option, flag: str, text: str) -> object:
    known = {str(word): word for word in option.words}
    if text not in known:
        near = difflib.get_close_matches(text[:100], known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise _refused(flag, f"one of {', '.join(known)}", text, hint)
    return known[text]


def _text(option: Option, flag: str, text: str) -> object:
    if not option.allows(text):
        raise _refused(flag, option.form, text)
    try:
        return text if option.read is None else option.read(text)
    except OptionError as error:
        raise _refused(flag, error.expected, error.found) from error


def _path(option: Option, flag: str, text: str) -> object:
    if not text:
        raise _refused(flag, "a path", text)
    return Path(text)


def _refused(flag: str, expected: str, found: object, hint: str = "") -> UsageError:
    return UsageError(f"{flag} must be {expected}, got {shown(found)}{hint}")


_READERS = {"number": _number, "word": _word, "text": _text, "path": _path}
