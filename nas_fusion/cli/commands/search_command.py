"""``nasfusion search``: one design."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas_fusion.cli.asked_settings import search_settings
from nas_fusion.cli.command import Command, GivenSettings
from nas_fusion.cli.common_options import Assignments, OneLog, OneSearch, on_devices
from nas_fusion.cli.console import for_progress, output, print_plain
from nas_fusion.cli.log_reading import prepare_log
from nas_fusion.errors import OptionError
from nas_fusion.settings import DeviceSettings, Panel
from nas_fusion.settings.option import path
from nas_fusion.system.places import check_file_place

BESIDE = (".svg", ".dot")
"""What goes beside a design: a drawing, and a graph for Graphviz."""


@dataclass(frozen=True)
class DesignFile:
    """Where a design goes."""

    out: Path = path(
        Path("design.json"), "Where to write the design; a drawing (.svg) and a graph (.dot) go beside it.",
        panel=Panel.WRITTEN, first=True,
    )  # fmt: skip


def search(
    log: OneLog,
    what: OneSearch,
    given: GivenSettings,
    assigned: Assignments,
    ranks: DeviceSettings,
    written: DesignFile,
) -> None:
    """Search one design with one strategy and write it as JSON, as a drawing and as a graph for Graphviz."""
    with output() as console, on_devices(ranks):
        from nas_fusion.design import FusionDesign
        from nas_fusion.design_file import write_design
        from nas_fusion.report import design_dot, design_text, draw_design, handed_on_words, read_front
        from nas_fusion.studies import (
            Surroundings,
            assemble,
            check_runnable,
            design_context,
            find_design,
            make_job,
            measured_threads,
            tell_of_search,
        )  # fmt: skip
        from nas_fusion.system.files import write_text
        from nas_fusion.tracking import check_trackers

        check_design_place(written.out)
        settings = search_settings(log, what, given, assigned)
        (name,) = settings.strategies
        check_runnable(settings)
        check_trackers(settings.track)
        dataset = prepare_log(console, log.data, settings.data)
        assembly = assemble(settings, dataset)
        job = make_job(assembly, name, what.seed, surroundings=Surroundings(for_progress(console)))
        with measured_threads():
            kept = find_design(assembly, job)
        outcome = kept.outcome
        write_design(written.out, outcome.design, design_context(assembly, job))
        files = [written.out]
        if isinstance(outcome.design, FusionDesign):
            title = f"{name}, seed {what.seed}"
            for suffix, drawn in zip(BESIDE, (draw_design, design_dot), strict=True):
                files.append(written.out.with_suffix(suffix))
                write_text(files[-1], drawn(outcome.design, title=title))
        console.print(design_text(outcome.design), highlight=False, markup=False)
        found = "" if outcome.valid_auc is None else f"; validation AUC while searching {outcome.valid_auc:.4f}"
        console.print(f"{outcome.samples:,} samples in {outcome.seconds:.1f} s{found}", highlight=False)
        chosen = handed_on_words(read_front(name, what.seed, outcome.details))
        if chosen:
            console.print(chosen, highlight=False, markup=False)
        if kept.measured_ms is not None:
            limits = settings.limits
            line = f"{kept.measured_ms:.3f} ms per batch of {limits.latency_batch:,} rows, measured; at most"
            console.print(f"{line} {limits.latency_ms:g} allowed", highlight=False)
        print_plain(console, f"written: {', '.join(map(str, files))}")
        tell_of_search(assembly, job, outcome, written.out)


def check_design_place(out: Path) -> None:
    """Refuse a place at which a design and what goes next to it cannot be written.

    Raises:
        OptionError: they cannot.
    """
    check_file_place("out", out)
    if out.suffix.lower() in BESIDE:
        raise OptionError("out", "the file of the design (JSON); the drawing (.svg) goes beside it", str(out))
    for suffix in BESIDE:
        check_file_place("out", out.with_suffix(suffix))


SEARCH = Command(
    search,
    "nasfusion search --strategy optfusion-hard --data clicks.csv --out design.json",
    without=(
        "tune", "anytime_test", "importance", "predictions", "recipe.soft_learning_rate", "recipe.choice",
        "recipe.sweep_passes",
    ),
    goes_on=False,
)  # fmt: skip
