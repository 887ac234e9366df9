"""One seed for everything random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def member_seed(seed: int, index: int) -> int:
    """The seed of a network of an ensemble; the first one's is that of a single network."""
    if index == 0:
        return seed
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch (every device), NumPy and Python inside the block; restore their states after it."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - libraries use the global state
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
