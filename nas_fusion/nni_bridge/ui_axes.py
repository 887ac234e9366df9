"""What NNI's web UI draws of a trial: the axes of its graph of hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Axes = Mapping[str, Sequence[Any]]
"""The parameters that are drawn, with their possible values; a range is an axis of numbers."""

SUMMARY = "mutation_summary"
"""NNI's name for what the web UI draws of a trial instead of all its parameters.

It makes an axis of every parameter, also of one that the search space lacks; those that stand beside a summary are seen
in the trial's details alone.
"""


def search_space(axes: Axes) -> dict[str, dict[str, Any]]:
    """The axes as NNI's search space."""
    return {name: _entry(values) for name, values in axes.items()}


def _entry(values: Sequence[Any]) -> dict[str, Any]:
    if isinstance(values, range):
        return {"_type": "randint", "_value": [values.start, values.stop]}
    return {"_type": "choice", "_value": list(values)}


def with_summary(parameters: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's parameters, of which the web UI draws `drawn`, and shows the others as "Original parameters"."""
    return {SUMMARY: dict(drawn), **parameters}
