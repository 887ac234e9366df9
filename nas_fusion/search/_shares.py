"""How a budget is divided among candidates."""

from __future__ import annotations

import math


def samples_per_candidate(budget: int, candidates: int, batch_size: int) -> int:
    """A candidate's share of the budget in whole batches, at least one."""
    return max(1, math.floor(budget / candidates / batch_size)) * batch_size
