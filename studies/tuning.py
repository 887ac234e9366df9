"""Tune one strategy's hyperparameters in a study folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.study_toml import FORMAT_VERSION
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies.nni_views import recording
from nas_fusion.studies.queue.tracked_trials import TrackedTuning
from nas_fusion.studies.queue.tuning_loop import TuningListener, run_tunings
from nas_fusion.studies.queue.workplace import coordinating, tunings
from nas_fusion.studies.setup.announcements import TUNING, announce
from nas_fusion.studies.setup.assembly import assemble
from nas_fusion.studies.setup.hyperparameters import Hyperparameters, TuningResult
from nas_fusion.studies.setup.jobs import Surroundings
from nas_fusion.studies.setup.study_checks import check_study
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.timing.foresight import foreseen, tuning_words
from nas_fusion.system.deadline import Deadline
from nas_fusion.system.files import write_text
from nas_fusion.system.seals import sealed


def tune(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    folder: str | Path,
    *,
    storage: str | None = None,
    console: Console | None = None,
    listener: TuningListener | None = None,
    say: Callable[[str], None] | None = None,
) -> TuningResult:
    """Search hyperparameters with which the strategy's designs reach a better validation AUC after re-training.

    Training and validation rows only; the first trial is the defaults. A tuning that was stopped goes on.

    Args:
        settings: one strategy, one seed, and the number of trials.
        dataset: the encoded log.
        folder: the study folder; the outcome is ``tuned.json`` in it.
        storage: URL of Optuna's storage, which workers may share; in the folder if not given.
        console: where progress bars appear; None for none.
        listener: told of every trial of this process.
        say: told, in lines, what will be done and about how long it takes, before it begins.

    Raises:
        OptionError: not one strategy, or no trials.
        StudyError: the folder belongs to other settings or to another process, or nothing could be trained.
    """
    if len(settings.strategies) != 1:
        raise OptionError("strategy", "one strategy", ", ".join(settings.strategies))
    if settings.tune < 1:
        raise OptionError("trials", "a positive integer", settings.tune)
    check_study(settings, folder, storage)
    study = StudyFolder(folder)
    study.check(settings, dataset.fingerprint)
    assembly = assemble(settings, dataset, study.latency)
    with coordinating(assembly, study, storage) as place:
        (tuning,) = tunings(place)
        announce(tuning.study, settings, dataset.fingerprint, TUNING)
        tuning.reopen()
        if say is not None and not tuning.finished():
            say(tuning_words(foreseen(place, 1, Deadline())))
        tracked = TrackedTuning(place, tuning)
        tracked.tell()

        def ended(strategy: str, done: int, total: int, words: str) -> None:
            if listener is not None:
                listener(strategy, done, total, words)
            tracked.tell()

        with recording(study, settings) as recorder:
            run_tunings(replace(place, surroundings=Surroundings(console, recorder)), [tuning], ended)
        tracked.tell()
        result = tuning.result()
        if result is None:
            raise StudyError(
                f"none of the {settings.tune} trials could be trained; a lower --lr? The last one: {tuning.problem()}"
            )
        write_text(study.tuned, sealed(_tuned(settings, result, len(dataset.train))) + "\n")
    return result


def _tuned(settings: ComparisonSettings, result: TuningResult, train_rows: int) -> dict[str, Any]:
    """What ``tuned.json`` says: the result, and the settings of the best trial, so that it can stand for a preset."""
    (strategy,) = settings.strategies
    tuned, parameters = Hyperparameters(settings, STRATEGIES.get(strategy), train_rows).apply(result.values)
    best = replace(tuned, tune=0, parameters={strategy: parameters})
    return {"format": FORMAT_VERSION, "strategy": strategy, **asdict(result), "settings": best.to_dict()}
