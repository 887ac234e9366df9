"""What can be told of a comparison or a tuning before its log is read, and so before anything is written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.data import EncodedDataset
from nas_fusion.errors import OptionError, UnknownNameError
from nas_fusion.search import Budget, TrainingService
from nas_fusion.search_spaces import SPACES
from nas_fusion.settings import ComparisonSettings, EngineName, RunSettings
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies.setup.hyperparameters import Hyperparameters, check_parameter_names
from nas_fusion.studies.setup.memory import check_memory
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.storage.storage_url import check_storage
from nas_fusion.system.cores import usable_cores
from nas_fusion.system.places import check_file_place, check_folder_place
from nas_fusion.tracking import check_trackers
from nas_fusion.training import TrainConfig, torch_device
from nas_fusion.training.ranks import current_team

PROCESSES_PER_CORE, FEW_PROCESSES = 4, 8
"""More processes per core, but never fewer than a few in all, would only wait for each other."""


def check_runnable(settings: ComparisonSettings) -> None:
    """Refuse settings that this machine, or the registered strategies, cannot serve.

    Raises:
        OptionError: there is no such device, or a parameter of a strategy has a value that is not allowed.
        UnknownNameError: there is no such strategy, or no such space.
    """
    SPACES.get(settings.model.space)
    torch_device(settings.train_config(rows=1))
    entries = [STRATEGIES.get(name) for name in settings.strategies]
    for entry in entries:
        Hyperparameters(settings, entry)
    check_parameter_names(settings, entries)


def check_comparison(
    settings: ComparisonSettings,
    folder: str | Path,
    *,
    storage: str | None = None,
    engine: EngineName = RunSettings.engine,
    nni_config: Path | None = None,
    reference: str | None = None,
    latex: Path | None = None,
    processes: int = RunSettings.processes,
) -> None:
    """Refuse what `compare` would refuse, as far as that can be told without the log. Writes nothing.

    Args:
        settings, folder, storage, engine, nni_config, reference, latex, processes: as of `compare`.

    Raises:
        OptionError, UnknownNameError, StudyError: as of `compare`.
    """
    if engine not in bounds.ENGINES or (nni_config is not None and engine != "nni"):
        raise OptionError("engine", "'in-process', or 'nni' (with or without an NNI configuration)", engine)
    if engine == "nni" and processes != 1:
        raise OptionError("processes", "1 with the engine nni, whose trials are processes (concurrency)", processes)
    if engine == "nni" and current_team().count > 1:
        raise OptionError("engine", "in-process with several devices: NNI's trials are processes of their own", engine)
    processes_for(processes)
    check_reference(reference, settings.strategies)
    if latex is not None:
        check_file_place("latex", Path(latex))
    check_study(settings, folder, storage)
    if nni_config is not None:
        _check_nni_config(settings, nni_config)


def processes_for(asked: int) -> int:
    """How many processes: as asked, 0 for one per core.

    Raises:
        OptionError: a negative number, more than the cores can serve, or several where a model has several devices.
    """
    cores = usable_cores()
    bound = Bound(0, max(FEW_PROCESSES, PROCESSES_PER_CORE * cores), note=f"0: one per core, and there are {cores}")
    bound.check("processes", asked)
    if asked != 1 and current_team().count > 1:
        raise OptionError("processes", "1 with several devices, which one model has at once", asked)
    return asked or cores


def check_reference(reference: str | None, strategies: Sequence[str]) -> None:
    """Refuse a reference that is not compared.

    Raises:
        UnknownNameError: it is none of the strategies; the nearest is offered.
    """
    if reference is not None and reference not in strategies:
        raise UnknownNameError("reference", reference, list(dict.fromkeys(strategies)))


def check_study(settings: ComparisonSettings, folder: str | Path, storage: str | None = None) -> None:
    """Refuse settings, a folder or a storage that no study could have. Writes nothing.

    Raises:
        OptionError, UnknownNameError, StudyError: as of `compare`.
    """
    check_runnable(settings)
    check_folder_place("study", Path(folder))
    if storage is not None:
        check_storage(storage)
    check_trackers(settings.track)
    StudyFolder(folder).check(settings)


def check_size(settings: ComparisonSettings, dataset: EncodedDataset, processes: int = RunSettings.processes) -> None:
    """Refuse a budget that is nothing on a log, and models that cannot fit the machine. Builds nothing.

    Raises:
        OptionError: one of the two.
    """
    Budget.parse(settings.budget, len(dataset.train))
    entries = [STRATEGIES.get(name) for name in settings.strategies]
    check_memory(settings, dataset, entries, processes=processes)


def check_worker(storage: str, folder: Path | None, device: str | None) -> None:
    """Refuse what no worker could use, before its storage is opened. Writes nothing.

    Raises:
        OptionError: there is no such storage, folder or device.
    """
    check_storage(storage, is_there=True)
    if folder is not None:
        check_folder_place("folder", folder)
    torch_device(TrainConfig(device=device or "auto"))


def _check_nni_config(settings: ComparisonSettings, file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # NNI's configuration names folders, which it wants to see
        TrainingService(folder, concurrency=settings.concurrency, config_file=file).check()
