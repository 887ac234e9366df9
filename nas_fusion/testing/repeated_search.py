"""The same search once more, watched."""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nas_fusion.search import SearchOutcome, SearchTask, run_search
from nas_fusion.strategy import StrategyEntry


@dataclass(frozen=True)
class Repeated:
    """What a search did when it was run a second time.

    Args:
        outcome: what it found.
        printed: what it printed, to standard output and standard error together.
        random_state_changed: whether it left a global random state (Python's, NumPy's, torch's) other than it was.
    """

    outcome: SearchOutcome
    printed: str
    random_state_changed: bool


def repeat_search(entry: StrategyEntry, task: SearchTask) -> Repeated:
    """Run a search in another random state than the first time."""
    torch.rand(7)
    before = _random_states()
    with _captured() as text:
        outcome = run_search(entry, task)
    return Repeated(outcome, text.getvalue(), _random_states() != before)


@contextmanager
def _captured() -> Iterator[io.StringIO]:
    """Whatever is printed inside, by Python or by a library below it; it is complete behind the block."""
    text = io.StringIO()
    with tempfile.TemporaryFile() as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        kept = {number: os.dup(number) for number in (1, 2)}
        try:
            for number in kept:
                os.dup2(file.fileno(), number)
            with redirect_stdout(text), redirect_stderr(text):
                yield text
        finally:
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
        file.seek(0)
        text.write(file.read().decode("utf-8", "replace"))


def _random_states() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state()  # noqa: NPY002 - the global state is what is looked at
    return random.getstate(), np.asarray(keys).tolist(), rest, torch.get_rng_state().tolist()
