"""``python -m nas_fusion.search.service_trial``: a trial of an NNI service; NNI tells it what to do.

It reports every validation, and the result, to NNI. A one-shot search leaves its outcome in the order's folder; a trial
that fails leaves the reason there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from nas_fusion.architecture import Found
from nas_fusion.design import FusionDesign
from nas_fusion.errors import StudyError
from nas_fusion.nni_bridge import TrialChannel, model_context
from nas_fusion.search.multitrial.candidates import fit_candidate
from nas_fusion.search.run import run_search
from nas_fusion.search.saved_search import save_search
from nas_fusion.search.service.orders import leave_logits, make_space, read_task, write_failure
from nas_fusion.search.task import SearchTask
from nas_fusion.strategy import STRATEGIES
from nas_fusion.training.threads import ThreadRule, following
from nas_fusion.training_log import Training


class _ReportingTrial:
    """Tells NNI's manager of a one-shot search."""

    def __init__(self, channel: TrialChannel) -> None:
        self._channel = channel

    def validated(self, valid_auc: float, **more: float) -> None:
        self._channel.intermediate(valid_auc)

    def derived(self, design: Found) -> None:
        """It is in the outcome."""

    def result(self, valid_auc: float | None, **more: float) -> None:
        self._channel.final(valid_auc)


class _ReportingLog:
    def __init__(self, channel: TrialChannel) -> None:
        self._channel = channel

    @contextmanager
    def training(self, phase: str, design: Found | None = None, **parameters: Any) -> Iterator[Training]:
        yield _ReportingTrial(self._channel)


def main() -> None:
    """Do what NNI says."""
    channel = TrialChannel()
    order: dict[str, Any] = channel.parameters["order"]
    try:
        follow(order, channel)
    except Exception as error:
        try:
            write_failure(order, error)
        except (OSError, StudyError) as unwritable:
            error.add_note(f"(the reason could not be left for the search: {unwritable})")
        raise


def follow(order: Mapping[str, Any], channel: TrialChannel) -> None:
    """Train the order's candidate, or run its search.

    Raises:
        DataError: the data set is not there, or another one.
        TrainingError: the loss or a prediction is not finite.
    """
    torch.set_num_threads(order["threads"])
    rule = order["thread_rule"]
    with following(None if rule is None else ThreadRule.from_dict(rule)):
        _follow(order, channel)


def _follow(order: Mapping[str, Any], channel: TrialChannel) -> None:
    task = read_task(order)
    if "design" in order:
        _train_candidate(order, task, channel)
        return
    task = replace(task, training_log=_ReportingLog(channel))
    outcome = run_search(STRATEGIES.get(order["strategy"]), task, order["parameters"])
    save_search(Path(order["outcome"]), outcome)


def _train_candidate(order: Mapping[str, Any], task: SearchTask, channel: TrialChannel) -> None:
    design = FusionDesign.from_json(order["design"])

    def make_model() -> Any:
        with model_context(design.to_sample()):
            return make_space(order)

    start, leave = (None if order[name] is None else Path(order[name]) for name in ("start", "leave"))
    result = fit_candidate(
        make_model, task.data, task.config,
        lambda record: channel.intermediate({"default": record.rank(task.config.select).score, **asdict(record)}),
        start=start, leave=leave,
    )  # fmt: skip
    if result.valid_logits is not None:
        leave_logits(order, result.valid_logits)  # before the result, upon which the search looks for them
    rank = result.best_rank
    channel.final(
        {"default": rank.score, "tie": rank.tie, "valid_auc": result.best_valid_auc, "samples": result.samples}
    )


if __name__ == "__main__":
    main()
