"""How large a setting may be: one truth for the command line, for presets and study files, and for Python.

Bounds are wide: they keep out what no machine could do, or what some part (numpy, torch, a table of the storage) cannot
take, not what is unwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from nas_fusion.errors import OptionError


@dataclass(frozen=True)
class Bound:
    """The integers, or the finite numbers, from `low` to `high`.

    Args:
        low, high: both are allowed.
        integer: whether only integers are allowed.
        above: whether `low` itself is not allowed.
        or_none: whether None is allowed, too.
        note: more words for a message and for help.
    """

    low: float
    high: float
    integer: bool = True
    above: bool = False
    or_none: bool = False
    note: str = ""

    def allows(self, value: object) -> bool:
        """Whether a value is one of them."""
        if value is None:
            return self.or_none
        if isinstance(value, bool) or not isinstance(value, Integral if self.integer else Real):
            return False
        number: Any = value
        is_above = self.low < number if self.above else self.low <= number
        return bool(is_above and number <= self.high)  # NaN is not

    def check(self, option: str, value: object) -> None:
        """Refuse other values.

        Raises:
            OptionError: it is none of them.
        """
        if not self.allows(value):
            raise OptionError(option, str(self), value)

    def read(self, text: str) -> int | float | None:
        """The number that a text means; None if it means none, or one that is not allowed."""
        try:
            number = int(text) if self.integer else float(text)
        except ValueError:
            return None
        return number if self.allows(number) else None

    @property
    def ends(self) -> str:
        """Both ends, in words."""
        low, high = f"{self.low:,.16g}", f"{self.high:,.16g}"
        return f"above {low}, at most {high}" if self.above else f"{low} to {high}"

    @property
    def range(self) -> str:
        """Both ends, and the note."""
        return f"{self.ends} ({self.note})" if self.note else self.ends

    def __str__(self) -> str:
        kind = "an integer" if self.integer else "a number"
        words = f"{kind} {self.range}" if self.above else f"{kind} from {self.range}"
        return f"{words}, or null" if self.or_none else words


def one_of(option: str, value: object, choices: Collection[object]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        OptionError: it is none of them.
    """
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        raise OptionError(option, f"one of {', '.join(map(str, choices))}", value)


def check_flag(option: str, value: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        OptionError: it is not.
    """
    if not isinstance(value, bool):
        raise OptionError(option, "true or false", value)


Rule = Bound | tuple[str, ...]
"""What a parameter may be: numbers within a bound, or one of a few words."""

ANY_INTEGER = Bound(-1_000_000_000, 1_000_000_000)
ANY_NUMBER = Bound(-1e9, 1e9, integer=False)
MOST_ITEMS = 1000
"""Of a parameter that is a list."""


def check_parameter(option: str, value: object, default: object, rule: Rule | None = None) -> None:
    """Refuse a value that a strategy's parameter cannot have.

    Args:
        option: what it is called.
        value: what was given.
        default: the parameter's; where no rule is given, a value has to be of the same type.
        rule: what it may be.

    Raises:
        OptionError: it is something else.
    """
    if isinstance(rule, tuple):
        one_of(option, value, rule)
    elif isinstance(rule, Bound):
        rule.check(option, value)
    elif isinstance(default, bool):
        check_flag(option, value)
    elif isinstance(default, int | float):
        (ANY_INTEGER if isinstance(default, int) else ANY_NUMBER).check(option, value)
    elif isinstance(default, str):
        check_text(option, value)
    elif isinstance(default, list | tuple) and not (isinstance(value, list | tuple) and len(value) <= MOST_ITEMS):
        raise OptionError(option, f"a list of at most {MOST_ITEMS:,} values", value)


def check_text(option: str, value: object) -> None:
    """Refuse what is no text, or has no character, or one that no name can have.

    Raises:
        OptionError: it is not.
    """
    if not isinstance(value, str) or not value or "\0" in value:
        raise OptionError(option, "a text that is not empty", value)


LEVELS = Bound(1, 32, note="L levels have 2L²+4L+3 connections: 2,179 at 32")
"""Levels of a space. Each connection is a choice of NNI's, an axis of its web UI, and weights of the supernet."""

EMB_DIM = Bound(1, 4096)
"""Width of a field's embedding; whether models of it fit the machine depends on the log (`nas_fusion.studies`)."""

BLOCK_WIDTH = Bound(0, 65_536, note="0: as wide as all embeddings together, as published")
AUTOMATIC = "auto"
BLOCK_WIDTH_FORM = f"{AUTOMATIC}, or {BLOCK_WIDTH}"


def is_block_width(text: object) -> bool:
    """Whether a text is a width of blocks, or leaves it to the log."""
    return isinstance(text, str) and (text == AUTOMATIC or BLOCK_WIDTH.read(text) is not None)


OPERATIONS_FORM = f"{AUTOMATIC}, or names of different operations with commas between them"


def is_operation_list(text: object) -> bool:
    """Whether a text names operations, or leaves them to the strategy; whether a space has them is another question."""
    names = [name.strip() for name in text.split(",")] if isinstance(text, str) else [""]
    return all(names) and len(set(names)) == len(names)


BATCH_SIZE = Bound(1, 1 << 20)
"""Rows of a batch."""

SWEEP_PASSES = Bound(0, 100_000, integer=False, above=True)
"""Passes over the training rows."""

EPOCHS = Bound(1, 100_000)
"""Of a re-training."""

PATIENCE = Bound(0, 100_000)
"""Epochs."""

CANDIDATES = Bound(1, 100_000)
"""Of a multi-trial search."""

CONCURRENCY = Bound(1, 256)
"""Candidates at once."""

TUNE = Bound(0, 10_000)
"""Tuning trials of a strategy."""

THREADS = Bound(1, 1024)
THREADS_FORM = f"{AUTOMATIC}, or {THREADS}"


def is_threads(text: object) -> bool:
    """Whether a text is a number of threads, or leaves it to a measurement."""
    return isinstance(text, str) and (text == AUTOMATIC or THREADS.read(text) is not None)


DEVICES = Bound(1, 1024)
"""Of each machine, one process a device."""

NODES = Bound(1, 10_000)
"""Machines of one training."""

PROCESSES = Bound(0, 1024)
"""Of one comparison on one machine; a machine of few cores takes less (`nas_fusion.studies`)."""

SEED = Bound(0, 2**32 - 1)
"""Of everything random: numpy's older generators, which NNI's strategies use, take 32 bits."""

MANY_SEEDS = Bound(1, 1000)
"""How many seeds a comparison may have."""

HASH_SIZE = Bound(1, 1 << 30)
"""Of a hashed column: ids are 32 bits."""

LIST_LENGTH = Bound(1, 10_000)
MIN_COUNT = Bound(1, 1_000_000_000)
"""Of a value of the vocabulary."""

LEARNING_RATE = Bound(0, 10_000, integer=False, above=True)
"""Adam's, which moves a weight by about as much in a step."""

MEASURED = Bound(0, 10_000)
"""Designs that are measured with a supernet's weights."""

L2 = Bound(0, 10_000, integer=False)
"""In the gradient, times the weight."""

DROPOUT = Bound(0, 0.99, integer=False)
"""A probability."""

LR_DROP = Bound(0, 1, integer=False, above=True)
"""A factor."""

AVERAGING = Bound(0, 1_000, integer=False)
"""Epochs that an average of weights goes over; 0 where there is none."""

MEMBERS = Bound(1, 100)
"""Networks of an ensemble."""

GRADIENT_CLIP = Bound(0, 1e9, integer=False)
"""A norm; 0 where none is meant."""

MOST_COST = Bound(0, 10**15)
"""A limit on weights or multiply-adds; 0 is none."""

MOST_MILLISECONDS = Bound(0, 3_600_000, integer=False)
"""A limit on latency; 0 is none."""

MOST_SAMPLES = 10**15
"""Rows that a training or a search may see."""

MOST_SECONDS = 10.0**9
"""Seconds that a training or a search may last: thirty years."""

COST_PENALTY = Bound(0, 1e6, integer=False)
"""Weight of OptFusion's penalty."""

PORT = Bound(0, 65535)
"""Of TCP; 0: any free one."""

SYNTHETIC_ROWS = Bound(1, 100_000_000)
"""Of the built-in log: 4.4 GB when encoded."""

PLANTED_NOISE = Bound(0, 0.9, integer=False)
"""Share of the rows of a planted log whose click is the toss of a coin."""

PLANTED_ZIPF = Bound(0, 3, integer=False)
"""Exponent of the frequencies of its values; beyond, nearly all rows have the same one."""

SHARE = Bound(0, 1, integer=False)
"""A part of a whole, or a probability."""

EXPORT_FORMATS = ("onnx", "torch-export", "torchscript")
"""What a saved model can be exported to (`nas_fusion.serving.export`)."""

PRODUCT_RULES = ("zero", "open")
"""What a product may do with a closed input."""

STARTS = (AUTOMATIC, "handmade", "nothing")
"""What a multi-trial search may begin with."""

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "64": "64-true"}
"""Precisions of a training, and Lightning's names for them."""

EMBEDDING_OPTIMIZERS = ("adam", "touched-rows-adam")
"""Optimisers of the embedding table."""

SELECTIONS = {"auc": "validation AUC", "logloss": "validation logloss", "gauc": "validation AUC within groups"}
"""By what validation chooses, and what that is called."""

PREFERENCES = {"cheap": "the cheapest that validation rows cannot tell from the best", "best": "the best"}
"""Which of its candidates a search hands on, and what that is."""

TABLE_PART = Bound(0, 1_000_000)
"""Designs of a table; 0 for all of the space."""

STACK = Bound(1, 4096)
"""Designs that are trained side by side."""

REDUCTION_FACTOR, RUNGS = Bound(2, 100), Bound(1, 20)
"""Of successive halving: one candidate in so many goes on; how often."""

REPLAYED_EPOCHS = Bound(0, 100_000)
"""Of a candidate; 0 for all that the table has."""

LATENCY_BATCHES = (1, 4096)
"""Rows of the batches whose latency is measured: one request, and the published batch size."""

ENGINES = ("in-process", "nni")
"""Where the trainings of searches run."""

TRACKERS = ("mlflow", "tensorboard", "wandb")
"""Who may be told of finished cells."""

DEVICE_FORM = "auto, cpu, cuda or cuda:N"
_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")


def is_device(name: object) -> bool:
    """Whether a text has the form of a device; whether there is one is another question."""
    return isinstance(name, str) and _DEVICE.fullmatch(name) is not None
