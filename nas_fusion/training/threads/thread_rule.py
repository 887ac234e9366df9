"""`ThreadRule`: from how much work a step has all threads; below that it has one.

Handing a part of an operation to another thread takes longer than the operation where that is small, and a model is
many small operations or few large ones. The sums of a step depend on the number of threads in their last digits, so the
number follows from the model and the batch alone, by a rule that is measured once and remembered, not from how busy the
machine is when a training begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import torch
from torch import nn

from nas_fusion.settings import TrainConfig

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class ThreadRule:
    """From how much work on a step has all threads of its process.

    Args:
        from_work: multiply-adds of a step's forward pass, as `weights_a_step` counts them; infinite: none has.
    """

    from_work: float = 0.0

    def threads(self, work: float, most: int) -> int:
        """How many threads a step of so much work takes, of `most`."""
        return most if work >= self.from_work else 1

    def to_dict(self) -> dict[str, Any]:
        """As plain values; JSON knows no infinite number."""
        return {"from_work": None if math.isinf(self.from_work) else self.from_work}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ThreadRule:
        """The rule that `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        work = content["from_work"]
        return cls(math.inf if work is None else float(work))


_followed: list[ThreadRule] = []
"""The rules of the blocks that this process is in, the innermost one last."""


def current_rule() -> ThreadRule | None:
    """The rule that trainings of this process follow; None: all have all threads."""
    return _followed[-1] if _followed else None


@contextmanager
def following(rule: ThreadRule | None) -> Iterator[None]:
    """Let every training inside the block follow a rule; None changes nothing."""
    if rule is None:
        yield
        return
    _followed.append(rule)
    try:
        yield
    finally:
        _followed.pop()


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """Let torch have so many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def threads_of(model: nn.Module, config: TrainConfig) -> Iterator[None]:
    """Let torch have as many threads inside the block as the rule gives a training of this model.

    On a GPU the processor only starts kernels: there everything stays as it is.
    """
    rule, most = current_rule(), torch.get_num_threads()
    if rule is None or most == 1 or _is_on_gpu(config):
        yield
        return
    with with_threads(rule.threads(weights_a_step(model, config.batch_size), most)):
        yield


def by_rule(train: Callable[P, R]) -> Callable[P, R]:
    """Let a function with the arguments `model` and `config` run with the threads that the rule gives it."""
    called = signature(train)

    @wraps(train)
    def trained(*args: P.args, **kwargs: P.kwargs) -> R:
        given = called.bind(*args, **kwargs).arguments
        with threads_of(given["model"], given["config"]):
            return train(*args, **kwargs)

    return trained


def weights_a_step(model: nn.Module, rows: int) -> int:
    """How much work a step is: the weights outside of embedding tables times the rows of a batch.

    That is the multiply-adds of a dense network. It counts every weight once a row, in whatever form it is used: that
    tells small steps from large ones, by numbers that need no timing.
    """
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return rows * sum(p.numel() for p in model.parameters() if id(p) not in tables)


def _is_on_gpu(config: TrainConfig) -> bool:
    return config.device != "cpu" and torch.cuda.is_available()
