"""Where the trainings of a search run: in this process, or through one of NNI's training services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.nni_bridge import ServiceSettings, TrainingServiceRun, python_command, training_service
from nas_fusion.search.space_permits import permits_of
from nas_fusion.settings import ComparisonSettings
from nas_fusion.training import EpochRecord, TrainConfig

TRIAL_MODULE = "nas_fusion.search.service_trial"


@dataclass(frozen=True)
class InProcess:
    """One training after the other, in this process.

    Args:
        concurrency: how many candidates a multi-trial strategy proposes before it hears of the first one's result; with
            the same number an NNI service gives the same results.

    Raises:
        OptionError: `concurrency` is less than 1.
    """

    concurrency: int = ComparisonSettings.concurrency

    def __post_init__(self) -> None:
        _check_concurrency(self.concurrency)


class TrainingService:
    """Every candidate, and every one-shot search, is a trial of an NNI experiment; NNI's service runs it.

    A trial is a process of its own, which takes 3 to 7 seconds to start. It gets plain values only: where the encoded
    data set lies, the space's class and arguments, the recipe, the design. On another machine the package has to be
    installed and the data to lie under the same path; a one-shot search, and one whose candidates are trained by rungs,
    need a `folder` that all machines see.

    `run_search` starts the manager for one search. To have one manager, and one web UI, for several::

        service = TrainingService(folder, concurrency=2)
        with service.running() as run:
            print(run.address)
            run_search(entry, replace(task, engine=service))

    Args:
        folder: for NNI's files and for what trials hand back.
        concurrency: candidates trained at once; see `InProcess`.
        config_file: NNI's own configuration (YAML), for services on other machines. What it leaves out is set here:
            concurrency, number of trials, working directory, command, code directory, search space, local service.
        threads: torch's threads in a trial; None: as many as here, which is what makes the numbers the same.
        axes: the parameters of trials that the web UI's graph draws, with their possible values.
        name: of the experiment.
        port: of the web UI; 0 for any free one.
        open_to_network: let the manager listen on every interface, which trials in clusters need; machines that are
            reached by ssh do not. They have a key, but nothing is encrypted: use it in a network that you trust.

    Raises:
        OptionError: `concurrency` or `threads` is less than 1.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        concurrency: int = ComparisonSettings.concurrency,
        config_file: str | Path | None = None,
        threads: int | None = None,
        axes: Mapping[str, Sequence[Any]] | None = None,
        name: str = "nas-fusion",
        port: int = 0,
        open_to_network: bool = False,
    ) -> None:
        _check_concurrency(concurrency)
        if threads is not None and threads < 1:
            raise OptionError("threads", "a positive integer or None", threads)
        self.folder, self.concurrency, self.threads = Path(folder), concurrency, threads
        self.settings = ServiceSettings(
            folder=self.folder,
            command=python_command(TRIAL_MODULE),
            concurrency=concurrency,
            file=None if config_file is None else Path(config_file),
            axes=axes,
            name=name,
            port=port,
            open_to_network=open_to_network,
            environment=permits_of(self.folder),
        )
        self._run: TrainingServiceRun | None = None

    def check(self) -> None:
        """Look at the configuration file without starting anything.

        Raises:
            OptionError: NNI refuses it, or a machine in it is not known; names file or machine, and the problem.
        """
        self.settings.check()

    @contextmanager
    def running(self) -> Iterator[TrainingServiceRun]:
        """Inside the block NNI's manager runs; inside another such block it is the same one.

        Raises:
            OptionError: the configuration file is wrong, or the port taken.
            StudyError: the manager does not start.
        """
        if self._run is not None:
            yield self._run
            return
        with training_service(self.settings) as run:
            self._run = run
            try:
                yield run
            finally:
                self._run = None


@runtime_checkable
class KnownTrainings(Protocol):
    """An engine that trains nothing: what the training of a candidate gives is known (`nas_fusion.lab`)."""

    concurrency: int

    def history(self, design: FusionDesign, config: TrainConfig, seen: int = 0) -> Sequence[EpochRecord]:
        """The validations of a candidate's training, at least one.

        Args:
            design: the candidate's.
            config: its recipe, with its share of the budget.
            seen: where its training goes on, the samples that it had before; only the validations after them count.

        Raises:
            TrainingError: the candidate could not be trained.
        """
        ...

    def costs(self, design: FusionDesign) -> tuple[float, float]:
        """Multiply-adds per row and weights of a candidate's model."""
        ...


Engine = InProcess | TrainingService | KnownTrainings


def _check_concurrency(concurrency: int) -> None:
    if concurrency < 1:
        raise OptionError("concurrency", "a positive integer", concurrency)
