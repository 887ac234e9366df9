"""How many connections a search closed, and, where the best design is known, how many of them rightly."""

from __future__ import annotations

from nas_fusion.design import FusionDesign, candidate_connections
from nas_fusion.records import CONNECTION_SHARES

_CLOSED, _CLOSED_RIGHTLY, _KEPT_RIGHTLY = CONNECTION_SHARES


def connection_shares(found: FusionDesign, teacher: FusionDesign | None = None) -> dict[str, float]:
    """Shares from 0 to 1. A connection that cannot reach the output counts as closed, in either design.

    Args:
        found: the design that a search found.
        teacher: of the same space, the design that made the clicks of a planted log; None where nobody knows it.

    Returns:
        ``closed``: of all candidates, those that are closed. With a teacher also ``closed_rightly``: of the connections
        that it has not, those that are closed (1 where it has all); ``kept_rightly``: of its own, those that are open.

    Raises:
        ValueError: the designs are of different spaces.
    """
    if teacher is not None and teacher.levels != found.levels:
        raise ValueError(f"a teacher of {found.levels} levels was expected, got {teacher.levels}")
    candidates, opened = set(candidate_connections(found.levels)), set(found.pruned().connections)
    shares = {_CLOSED: 1 - len(opened) / len(candidates)}
    if teacher is not None:
        own = set(teacher.pruned().connections)
        needless = candidates - own
        shares[_CLOSED_RIGHTLY] = len(needless - opened) / len(needless) if needless else 1.0
        shares[_KEPT_RIGHTLY] = len(own & opened) / len(own)
    return shares
