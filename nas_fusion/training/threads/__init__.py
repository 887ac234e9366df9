"""How many threads a training takes: one where a step is small, all that there are where they pay."""

from nas_fusion.training.threads.crossover import Crossover, measure_crossover
from nas_fusion.training.threads.thread_rule import (
    ThreadRule,
    by_rule,
    current_rule,
    following,
    threads_of,
    weights_a_step,
    with_threads,
)

__all__ = [
    "Crossover",
    "ThreadRule",
    "by_rule",
    "current_rule",
    "following",
    "measure_crossover",
    "threads_of",
    "weights_a_step",
    "with_threads",
]
