"""`RunSettings`: how and where a study is computed; no result depends on it, but for the last digits on the threads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas_fusion import bounds
from nas_fusion.budget import seconds_in
from nas_fusion.errors import OptionError
from nas_fusion.settings.option import Panel, check_fields, number, path, text, word

EngineName = Literal["in-process", "nni"]

STORAGES = "postgresql://…, mysql://…, journal:///FILE, grpc://HOST:PORT"


TIME_FORM = "a time like 90s, 20m or 2h"


def read_time(text: str) -> float:
    """The seconds that a time limit means.

    Raises:
        OptionError: it means none.
    """
    seconds = seconds_in(text)
    if seconds is None:
        raise OptionError("time-limit", TIME_FORM, text)
    return seconds


@dataclass(frozen=True)
class RunSettings:
    """How and where a comparison is computed.

    Args:
        storage: URL of Optuna's storage, to share cells with `nasfusion worker`; None: SQLite in the study folder.
        engine: ``in-process``, or ``nni``: NNI's training service runs the trainings of searches.
        nni_config: NNI's own configuration (YAML), for services elsewhere; with the engine ``nni``.
        processes: so many cells at once; 0: one per core.
        threads: of each process, as a text; ``"auto"`` gives one to small models and all cores to those that gain by it
            (`nas_fusion.training.threads`). The last digits of a result depend on it.
        time_limit: seconds for everything; None: as long as it takes.

    Raises:
        OptionError: a value is out of its range.
    """

    storage: str | None = text(
        None,
        f"Optuna's storage, to share with workers: {STORAGES}.",
        panel=Panel.RUN,
        metavar="URL",
        shown="SQLite in the study folder",
    )
    engine: EngineName = word(
        "in-process",
        bounds.ENGINES,
        "in-process, or nni: NNI's training service runs --concurrency trials at once.",
        panel=Panel.RUN,
    )
    nni_config: Path | None = path(None, "NNI's own configuration (YAML), for services elsewhere.", panel=Panel.RUN)
    processes: int = number(
        1,
        bounds.PROCESSES,
        "So many cells at once, by processes that share the cores; 0: one per core.",
        panel=Panel.RUN,
    )

    threads: str = text(
        bounds.AUTOMATIC,
        "Threads of each process. auto: what OMP_NUM_THREADS says, or else one for small models and more for those "
        "that gain by them, which is timed once and remembered.",
        panel=Panel.RUN,
        metavar="N",
        form=bounds.THREADS_FORM,
        allows=bounds.is_threads,
    )
    time_limit: float | None = text(
        None,
        "For everything, like 90s, 20m or 2h: what does not fit is left out, whole seeds or else whole strategies.",
        panel=Panel.BUDGET,
        metavar="TIME",
        form=TIME_FORM,
        read=read_time,
        first=True,
        shown="none",
    )

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class DeviceSettings:
    """On how many devices one model is trained; the last digits of a result depend on it, and what dropout draws.

    Args:
        devices: of each machine, by one process for each.
        nodes: machines; more than one under torchrun or Slurm.

    Raises:
        OptionError: a value is out of its range.
    """

    devices: int = number(
        1,
        bounds.DEVICES,
        "Train each model on so many devices at once, by a process for each: GPUs, or else cores. Under torchrun: as "
        "many as it has started.",
        panel=Panel.RUN,
    )
    nodes: int = number(
        1,
        bounds.NODES,
        "Machines with so many devices each; torchrun or srun starts the same command on all of them.",
        panel=Panel.RUN,
    )

    def __post_init__(self) -> None:
        check_fields(self)
