"""``nasfusion retrain``: a design for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas_fusion.cli.command import Command, GivenSettings
from nas_fusion.cli.common_options import on_devices
from nas_fusion.cli.console import for_progress, output, print_plain
from nas_fusion.cli.design_contexts import RetrainOptions, check_log, retrain_settings, warn_of_context
from nas_fusion.cli.log_reading import prepare_log
from nas_fusion.errors import OptionError
from nas_fusion.settings import DeviceSettings
from nas_fusion.system.places import check_file_place, check_folder_place, is_folder

if TYPE_CHECKING:
    from rich.console import Console

    from nas_fusion.search import Retrained
    from nas_fusion.training import Metrics


def retrain(asked: RetrainOptions, given: GivenSettings, ranks: DeviceSettings) -> None:
    """Train a design from scratch, choose the epoch on the validation rows, report AUC and logloss on the test rows.

    Given a saved model, or a study for its best one, instead of a design in JSON: train the same on another log
    (`--data`), with strategy, design, recipe, space and options of the log as they were, and write the new model to the
    folder `--out`.
    """
    with output() as console, on_devices(ranks):
        if is_folder("design", asked.design) or asked.design.suffix == ".zip":
            _retrain_model(console, asked, given)
            return
        from nas_fusion.data import check_log as check_columns
        from nas_fusion.design_file import read_design
        from nas_fusion.studies import (
            Surroundings,
            assemble,
            check_runnable,
            make_job,
            measured_threads,
            tell_of_training,
            train_design,
        )
        from nas_fusion.system.files import save_tensors
        from nas_fusion.tracking import check_trackers

        design, context = read_design(asked.design)
        if asked.out is not None:
            check_file_place("out", asked.out)
        settings = retrain_settings(asked, given, design, context)
        (name,), (seed,) = settings.strategies, settings.seeds
        check_runnable(settings)
        check_trackers(settings.track)
        check_columns(settings.source, settings.data)
        warn_of_context(asked.design, context, settings)
        dataset = prepare_log(console, settings.source, settings.data)
        assembly = assemble(settings, dataset)
        check_log(asked.design, context, assembly, override=asked.override)
        around = Surroundings(for_progress(console))
        job = make_job(assembly, name, seed, label=asked.design.stem, surroundings=around)
        with measured_threads():
            trained, test = train_design(assembly, job, design)
        _tell(console, trained, test)
        if asked.out:
            save_tensors(asked.out, trained.model.state_dict())
            print_plain(console, f"written: {asked.out}")
        tell_of_training(assembly, job, design, trained, test, asked.out or asked.design, model=False)


def _retrain_model(console: Console, asked: RetrainOptions, given: GivenSettings) -> None:
    from nas_fusion.data import check_log as check_columns
    from nas_fusion.serving import load
    from nas_fusion.studies import Surroundings, again_settings, check_runnable, measured_threads, train_again
    from nas_fusion.tracking import check_trackers

    known = load(asked.design).manifest
    for option, value in (("data", asked.data), ("out", asked.out)):
        if value is None:
            raise OptionError(option, "given where a saved model is trained anew", value)
    if asked.preset is not None:
        raise OptionError("preset", "left out where a saved model is trained anew", asked.preset)
    assert asked.data is not None
    assert asked.out is not None
    check_folder_place("out", asked.out)
    print_plain(console, f"{asked.design}: {known.title}, trained on {known.log.name}")
    settings = again_settings(known, asked.data, asked.seed, given.values)
    check_runnable(settings)
    check_trackers(settings.track)
    check_columns(settings.source, settings.data)
    dataset = prepare_log(console, settings.source, settings.data)
    with measured_threads():
        made = train_again(known, settings, dataset, asked.out, Surroundings(for_progress(console)))
    _tell(console, made.retrained, made.test)
    print_plain(console, f"written: {asked.out}")


def _tell(console: Console, trained: Retrained, test: Metrics) -> None:
    console.print(
        f"validation AUC {trained.fit.best_valid_auc:.4f} (epoch {trained.fit.best_epoch}), "
        f"test AUC {test.auc:.4f}, test logloss {test.logloss:.4f}, "
        f"{trained.parameters:,} parameters, {trained.seconds:.1f} s",
        highlight=False,
    )


RETRAIN = Command(
    retrain,
    "nasfusion retrain study/ --data new.parquet --out model/",
    without=(
        "budget", "candidates", "start_from", "concurrency", "tune", "anytime_test", "importance", "predictions",
        "limits.*", "model.levels", "model.product", "recipe.retrain_learning_rate", "recipe.soft_learning_rate",
        "recipe.choice", "recipe.sweep_passes",
    ),
    goes_on=False,
)  # fmt: skip
