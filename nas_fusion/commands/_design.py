"""``nasfusion search`` and ``nasfusion retrain``: one design."""

from __future__ import annotations

from pathlib import Path

from nas_fusion.commands._shared import (
    Options,
    output,
    prepare_log,
    print_plain,
    settings_of,
)
from nas_fusion.errors import OptionError
from nas_fusion.system.places import check_file_place


def run_search_command(options: Options) -> None:
    """``nasfusion search``."""
    with output() as console:
        from nas_fusion.commands._options import with_preset
        from nas_fusion.design import FusionDesign
        from nas_fusion.design_file import write_design
        from nas_fusion.report import design_text, draw_design
        from nas_fusion.strategy import STRATEGIES
        from nas_fusion.studies import (
            Surroundings,
            assemble,
            check_runnable,
            design_context,
            find_design,
            make_job,
        )
        from nas_fusion.system.files import write_text

        check_design_place(options["out"])
        options = with_preset(options)
        entry = STRATEGIES.get(options["strategy"])
        settings = settings_of(options, (entry.name,), (options["seed"],))
        check_runnable(settings)
        dataset = prepare_log(console, options)
        assembly = assemble(settings, dataset)
        around = Surroundings(console if console.is_terminal else None)
        job = make_job(assembly, entry.name, options["seed"], surroundings=around)
        kept = find_design(assembly, job)
        outcome = kept.outcome
        out: Path = options["out"]
        write_design(out, outcome.design, design_context(assembly, job))
        written = [out]
        if isinstance(outcome.design, FusionDesign):
            written.append(out.with_suffix(".svg"))
            write_text(written[-1], draw_design(outcome.design, title=f"{entry.name}, seed {options['seed']}"))
        console.print(design_text(outcome.design), highlight=False, markup=False)
        found = "" if outcome.valid_auc is None else f"; validation AUC while searching {outcome.valid_auc:.4f}"
        console.print(f"{outcome.samples:,} samples in {outcome.seconds:.1f} s{found}", highlight=False)
        if kept.measured_ms is not None:
            line = f"{kept.measured_ms:.3f} ms per batch of {options['latency_batch']:,} rows, measured; at most"
            console.print(f"{line} {options['max_latency']:g} allowed", highlight=False)
        print_plain(console, f"written: {', '.join(map(str, written))}")


def check_design_place(out: Path) -> None:
    """Refuse a place at which a design and the drawing beside it cannot be written.

    Raises:
        OptionError: they cannot.
    """
    check_file_place("out", out)
    if out.suffix.lower() == ".svg":
        raise OptionError("out", "the file of the design (JSON); the drawing (.svg) goes beside it", str(out))
    check_file_place("out", out.with_suffix(".svg"))


def run_retrain_command(options: Options) -> None:
    """``nasfusion retrain``."""
    with output() as console:
        from nas_fusion.architecture import Architecture
        from nas_fusion.commands._contexts import check_log, warn_of_context, with_context
        from nas_fusion.data import check_log as check_columns
        from nas_fusion.design_file import read_design
        from nas_fusion.studies import Surroundings, assemble, check_runnable, make_job, train_design
        from nas_fusion.system.files import save_tensors

        path: Path = options["design"]
        design, context = read_design(path)
        if options["out"] is not None:
            check_file_place("out", options["out"])
        name = design.model if isinstance(design, Architecture) else "parallel"
        options = with_context(options, design, context)
        settings = settings_of(options, (name,), (options["seed"],))
        check_runnable(settings)
        check_columns(options["data"], settings.data)
        warn_of_context(path, context, options)
        dataset = prepare_log(console, options)
        assembly = assemble(settings, dataset)
        check_log(path, context, assembly, override=options["override"])
        around = Surroundings(console if console.is_terminal else None)
        job = make_job(assembly, name, options["seed"], label=path.stem, surroundings=around)
        trained, test = train_design(assembly, job, design)
        console.print(
            f"validation AUC {trained.fit.best_valid_auc:.4f} (epoch {trained.fit.best_epoch}), "
            f"test AUC {test.auc:.4f}, test logloss {test.logloss:.4f}, "
            f"{trained.parameters:,} parameters, {trained.seconds:.1f} s",
            highlight=False,
        )
        if options["out"]:
            save_tensors(options["out"], trained.model.state_dict())
            print_plain(console, f"written: {options['out']}")
