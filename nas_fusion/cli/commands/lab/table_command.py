"""``nasfusion table``: every design of a small space, trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.cli.asked_settings import with_preset
from nas_fusion.cli.command import Command, GivenSettings
from nas_fusion.cli.common_options import SEEDS_FORM, OneLog, parse_seeds
from nas_fusion.cli.console import counting_bar, output, print_plain
from nas_fusion.cli.log_reading import data_line, prepare_log
from nas_fusion.settings import ComparisonSettings, Panel
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.settings.lab.table_settings import TableSettings
from nas_fusion.settings.option import REQUIRED, path, text
from nas_fusion.system.places import check_file_place

if TYPE_CHECKING:
    from nas_fusion.lab import DesignTable


@dataclass(frozen=True)
class WrittenTable:
    """Where a table goes, and its seeds."""

    out: Path = path(
        REQUIRED, "The table (Parquet); what is done lies beside it, in OUT.parts, until the table is complete.",
        panel=Panel.WRITTEN, first=True,
    )  # fmt: skip
    seeds: tuple[int, ...] = text(
        ComparisonSettings.seeds, "How many (0, 1, …), or a list like 3,5,8.", panel=Panel.BUDGET, metavar="SEEDS",
        form=SEEDS_FORM, read=parse_seeds, first=True, shown=str(len(ComparisonSettings.seeds)),
    )  # fmt: skip


def table(log: OneLog, what: WrittenTable, extent: TableSettings, given: GivenSettings) -> None:
    """Train every different design of a small space on a log, many at a time, and write what each is worth: the truth
    that searches can be judged by.

    The same command goes on where it was stopped.
    """
    with output() as console:
        from nas_fusion.data import check_log
        from nas_fusion.lab import DesignTable, TablePlan, make_table

        check_file_place("out", what.out)
        values = with_preset(given, log.data, None).values
        plan = TablePlan(settings_from(values, source=log.data, strategies=(), seeds=what.seeds), extent)
        check_log(plan.settings.source, plan.settings.data)
        dataset = prepare_log(console, plan.settings.source, plan.settings.data)
        print_plain(console, data_line(plan.settings.source, dataset))
        with counting_bar(console, "epochs of stacks") as progress:
            make_table(plan, dataset, what.out, progress)
        for line in _lines(DesignTable.open(what.out)):
            print_plain(console, line)
        print_plain(console, f"written: {what.out}")


def _lines(found: DesignTable) -> Iterator[str]:
    place = found.best_place
    yield f"{len(found):,} designs, {len(found.seeds)} seeds, {found.epochs} epochs"
    yield f"the best: test AUC {found.quality[place]:.4f}: {found.design(place)}"
    yield f"as good, as far as these seeds tell: {int(found.tied_with_best.sum()):,} designs"
    yield f"standard deviation over seeds: {found.noise:.4f}"
    ranks = " ".join(f"{correlation:.2f}" for correlation in found.rank_correlations())
    yield f"rank correlation of the validation AUC after epoch 1, 2, … with what a design is worth: {ranks}"


TABLE = Command(
    table,
    "nasfusion table --data synthetic:20000 --seeds 3 --out table.parquet",
    without=(
        "limits.*", "tune", "anytime_test", "importance", "predictions", "track", "budget", "candidates", "concurrency",
        "start_from",
        "model.space", "model.levels", "model.block_width", "model.product", "model.batch_norm", "model.dropout",
        "recipe.choice", "recipe.members", "recipe.sweep_passes", "recipe.soft_learning_rate", "recipe.retrain_epochs",
        "recipe.retrain_learning_rate", "recipe.patience", "recipe.select", "recipe.lr_drop", "recipe.gradient_clip",
        "recipe.embedding_optimizer",
    ),
)  # fmt: skip
