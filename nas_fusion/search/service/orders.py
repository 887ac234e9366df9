"""What a trial of an NNI service is told to do: an *order*, made of plain values, and what it hands back.

An order carries nothing that is pickled: NNI would unpickle whatever comes to it as such.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from traceback import format_exception
from typing import Any

import torch

from nas_fusion.budget import Budget
from nas_fusion.data import SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, StrategyError, StudyError, TrainingError, words_of
from nas_fusion.measures import Limits
from nas_fusion.nni_bridge import TrialEnd, with_summary
from nas_fusion.search.engines import TrainingService
from nas_fusion.search.space_permits import permit, permitted_class
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.system.files import load_tensors, save_tensors, write_text
from nas_fusion.training import TrainConfig
from nas_fusion.training.quality import FloatArray
from nas_fusion.training.threads import current_rule

_FAILURE, _LOGITS = "failure.json", "valid_logits.pt"


def task_order(task: SearchTask, config: TrainConfig, space: Any, service: TrainingService) -> dict[str, Any]:
    """What every trial of a search has to know.

    Args:
        task: the search.
        config: the recipe of the training.
        space: the search space, or anything else that carries NNI's trace of its arguments.
        service: which is to run the trial.

    Raises:
        OptionError: the space cannot be made again from plain values.
    """
    rule = current_rule()
    order = {
        "data": str(task.data.folder),
        "fingerprint": task.data.fingerprint,
        "space": permit(space.trace_symbol, service.folder),
        "space_arguments": list(space.trace_args),
        "space_options": dict(space.trace_kwargs),
        "config": asdict(config),
        "budget": asdict(task.budget),
        "candidates": task.candidates,
        "prefer": task.prefer,
        "label": task.label,
        "threads": service.threads or torch.get_num_threads(),
        "thread_rule": None if rule is None else rule.to_dict(),
    }
    # A candidate's design is given, so it needs no limits.
    if isinstance(space, FusionSpace) and space.designs.limits is not None:
        order["limits"] = space.designs.limits.to_dict()
    try:
        json.dumps(order, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OptionError("the space's arguments", f"plain values for a trial ({error})", space.trace_kwargs) from error
    return order


def trial_parameters(
    phase: str, order: Mapping[str, Any], outcome: Path, design: FusionDesign | None = None, **more: Any
) -> dict[str, Any]:
    """A trial's parameters as NNI shows them: phase, label and design besides the order; a graph draws them in short.

    Args:
        phase: one of `nas_fusion.training_log.PHASES`.
        order: see `task_order`.
        outcome: the folder in which the trial leaves what it found, or why it failed.
        design: of a candidate.
        more: parts of this trial's order.
    """
    shown, short = ({}, {}) if design is None else (design.to_sample(), design.in_short())
    if design is not None:
        more["design"] = design.to_json()
    whose = {"phase": phase, "label": order["label"]}
    full = {**whose, **shown, "order": {**order, **more, "outcome": str(outcome)}}
    return with_summary(full, whose | short)


def read_task(order: Mapping[str, Any]) -> SearchTask:
    """The task of an order, in the trial's process.

    Raises:
        DataError: the data set is not there, or another one.
        OptionError: the space is none.
    """
    return SearchTask(
        data=SearchData.open(order["data"], order["fingerprint"]),
        make_space=lambda: make_space(order),
        config=TrainConfig(**order["config"]),
        budget=Budget(**order["budget"]),
        candidates=order["candidates"],
        prefer=order["prefer"],
        label=order["label"],
    )


def make_space(order: Mapping[str, Any]) -> FusionSpace:
    """The space of an order, with fresh weights from the current random state.

    Raises:
        OptionError: it is none that this trial may make.
    """
    space = permitted_class(order["space"])(*order["space_arguments"], **order["space_options"])
    if "limits" in order:
        space.limit(Limits.from_dict(order["limits"]))
    return space


def check_registered(entry: StrategyEntry) -> None:
    """A trial finds a strategy by its name.

    Raises:
        UnknownNameError: it is not registered.
    """
    STRATEGIES.get(entry.name)


def leave_logits(order: Mapping[str, Any], logits: FloatArray) -> None:
    """Leave a candidate's logits of the validation rows ``[rows]`` where its search looks for them.

    Raises:
        StudyError: the folder cannot be written.
    """
    folder = Path(order["outcome"])
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / _LOGITS, {"logits": torch.from_numpy(logits)})


def taken_logits(outcome: Path) -> FloatArray | None:
    """What `leave_logits` left, which is deleted; None where there is nothing.

    Raises:
        DamagedFileError: the file cannot be read.
    """
    if not (outcome / _LOGITS).is_file():
        return None
    logits: FloatArray = load_tensors(outcome / _LOGITS)["logits"].numpy()
    shutil.rmtree(outcome)
    return logits


def write_failure(order: Mapping[str, Any], error: BaseException) -> None:
    """Leave the reason of a failure where the search looks for it.

    Raises:
        StudyError: the folder cannot be written.
    """
    folder = Path(order["outcome"])
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "training": isinstance(error, TrainingError),
        "message": words_of(error),
        "strategy": error.strategy if isinstance(error, StrategyError) else None,
        "reason": error.reason if isinstance(error, StrategyError) else None,
        "traceback": "".join(format_exception(error)),
    }
    write_text(folder / _FAILURE, json.dumps(content))


def failure_of(end: TrialEnd, outcome: Path, folder: Path) -> TrainingError | StrategyError | StudyError:
    """The reason of a trial's failure, with the trial's traceback as a note.

    A `TrainingError` is a failed training, a `StrategyError` a strategy's fault, a `StudyError` anything else.

    Args:
        end: how it ended.
        outcome: see `trial_parameters`.
        folder: NNI's, of the experiment.
    """
    try:
        content = json.loads((outcome / _FAILURE).read_text("utf-8"))
    except FileNotFoundError:
        how = "without a final metric" if end.status == "SUCCEEDED" else f"as {end.status} without giving a reason"
        words = f"; its last line was {end.last_words}" if end.last_words else ""
        return TrainingError(
            f"trial {end.name} ended {how}{words}; what it printed is in NNI's web UI, or below {folder}"
        )
    shutil.rmtree(outcome)
    error = _failure(end, content)
    error.add_note(f"In the process of trial {end.name}:\n{content['traceback']}")
    return error


def _failure(end: TrialEnd, content: Mapping[str, Any]) -> TrainingError | StrategyError | StudyError:
    if content["training"]:
        return TrainingError(content["message"])
    if content["strategy"] is not None:
        return StrategyError(content["strategy"], content["reason"])
    return StudyError(f"trial {end.name} could not run: {content['message']}")
