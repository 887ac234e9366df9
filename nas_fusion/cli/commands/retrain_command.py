"""``nasfusion retrain``: a design for good."""

from __future__ import annotations

from nas_fusion.cli.command import Command, GivenSettings
from nas_fusion.cli.console import for_progress, output, print_plain
from nas_fusion.cli.design_contexts import RetrainOptions, check_log, retrain_settings, warn_of_context
from nas_fusion.cli.log_reading import prepare_log
from nas_fusion.system.places import check_file_place


def retrain(asked: RetrainOptions, given: GivenSettings) -> None:
    """Train a design from scratch, choose the epoch on the validation rows, report AUC and logloss on the test rows."""
    with output() as console:
        from nas_fusion.data import check_log as check_columns
        from nas_fusion.design_file import read_design
        from nas_fusion.studies import Surroundings, assemble, check_runnable, make_job, train_design
        from nas_fusion.system.files import save_tensors

        design, context = read_design(asked.design)
        if asked.out is not None:
            check_file_place("out", asked.out)
        settings = retrain_settings(asked, given, design, context)
        (name,), (seed,) = settings.strategies, settings.seeds
        check_runnable(settings)
        check_columns(settings.source, settings.data)
        warn_of_context(asked.design, context, settings)
        dataset = prepare_log(console, settings.source, settings.data)
        assembly = assemble(settings, dataset)
        check_log(asked.design, context, assembly, override=asked.override)
        around = Surroundings(for_progress(console))
        job = make_job(assembly, name, seed, label=asked.design.stem, surroundings=around)
        trained, test = train_design(assembly, job, design)
        console.print(
            f"validation AUC {trained.fit.best_valid_auc:.4f} (epoch {trained.fit.best_epoch}), "
            f"test AUC {test.auc:.4f}, test logloss {test.logloss:.4f}, "
            f"{trained.parameters:,} parameters, {trained.seconds:.1f} s",
            highlight=False,
        )
        if asked.out:
            save_tensors(asked.out, trained.model.state_dict())
            print_plain(console, f"written: {asked.out}")


RETRAIN = Command(
    retrain,
    "nasfusion retrain design.json --data clicks.csv --out model.pt",
    without=(
        "budget", "candidates", "concurrency", "tune", "anytime_test", "importance", "predictions", "track", "limits.*",
        "model.levels", "model.product", "recipe.retrain_learning_rate", "recipe.soft_learning_rate",
        "recipe.choice", "recipe.sweep_passes",
    ),
    goes_on=False,
)  # fmt: skip
