"""What this process has taken and not given up.

A process that has ended is seen to be gone. One that lives on, like a notebook's, may have given a trial up all the
same, and may not have been able to say so, for instance because the disk was full. So whoever takes a trial writes down
a *hold* beside the process, and the process knows which of its holds it still keeps.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from nas_fusion.system.processes import Fate, fate, this_process

_HOLD = "hold"

_kept: set[str] = set()
_working: ContextVar[str | None] = ContextVar("working", default=None)


@contextmanager
def holding() -> Iterator[dict[str, Any]]:
    """A hold that is kept until the block ends.

    Yields:
        The owner to write down: this process, and the hold.
    """
    hold = secrets.token_hex(8)
    _kept.add(hold)
    try:
        yield this_process().to_dict() | {_HOLD: hold}
    finally:
        _kept.discard(hold)


@contextmanager
def at_work() -> Iterator[None]:
    """What is taken in the block without a hold of its own is given up at the latest when the block ends."""
    with holding() as owner:
        before = _working.set(owner[_HOLD])
        try:
            yield
        finally:
            _working.reset(before)


def owner_now() -> dict[str, Any]:
    """The owner to write down for what is taken now: this process, with the hold of the block that is `at_work`."""
    hold = _working.get()
    return this_process().to_dict() | ({} if hold is None else {_HOLD: hold})


def fate_of_owner(owner: Mapping[str, Any]) -> Fate:
    """Whether an owner lives and has not given up what it took, as far as can be seen from here."""
    if owner.get("token") == this_process().token and _HOLD in owner:
        return "lives" if owner[_HOLD] in _kept else "gone"
    return fate(owner)
