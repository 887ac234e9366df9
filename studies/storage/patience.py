"""How long a storage that is away is waited for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nas_fusion.errors import OptionError

PATIENCE_VARIABLE = "NASFUSION_STORAGE_SECONDS"
"""Environment variable: how long a storage that is away is waited for."""

PATIENCE_SECONDS = 300.0

_here = threading.local()


def patience() -> float:
    """Seconds that a storage is waited for.

    Raises:
        OptionError: the environment says something else than a number.
    """
    text = os.environ.get(PATIENCE_VARIABLE) or str(PATIENCE_SECONDS)
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise OptionError(PATIENCE_VARIABLE, "seconds, zero or more", text)
    return found


@contextmanager
def at_once() -> Iterator[None]:
    """Inside the block this thread does not wait for a storage: who ends, or beats, has no time."""
    before = getattr(_here, "hurried", False)
    _here.hurried = True
    try:
        yield
    finally:
        _here.hurried = before


def is_hurried() -> bool:
    """Whether this thread is inside a block of `at_once`."""
    return getattr(_here, "hurried", False)
