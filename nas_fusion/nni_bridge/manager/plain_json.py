"""Plain JSON: what nas-fusion and its trials tell each other through NNI, and all that they take from it.

`nni.load` makes objects of some JSON: it unpickles ``__nni_obj__``, and imports and calls what ``__nni_type__``,
``__symbol__`` or ``__instance_type__`` name. So whoever can send a trial its parameters could run code in it. Here JSON
is read by Python's own reader, and such marks are refused on both ends.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

_MARK = "__"


def load_plain(text: str | bytes) -> Any:
    """Read JSON that holds nothing but plain values.

    Raises:
        ValueError: it is no JSON, has a number that is not finite, or a mark that NNI would make an object of.
    """
    value = json.loads(text, parse_constant=_refuse_constant)
    check_plain(value)
    return value


def check_plain(value: object) -> None:
    """Look for marks that NNI would make an object of.

    Raises:
        ValueError: there is one.
    """
    left = [value]  # not by recursion: what comes from outside may be deep
    while left:
        part = left.pop()
        if isinstance(part, dict):
            marks = [key for key in part if key.startswith(_MARK)]
            if marks:
                raise ValueError(f"plain values have no names that start with {_MARK}, got {marks[0][:200]!r}")
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"plain JSON has no {name}")
