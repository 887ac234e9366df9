"""Making a table of designs: stack after stack, each in a file of its own until all are there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nas_fusion.data import EncodedDataset
from nas_fusion.design import FusionDesign
from nas_fusion.errors import StudyError
from nas_fusion.lab.stacked_training import check_stackable, train_stack
from nas_fusion.lab.table_file import COLUMNS, read_figures, write_figures
from nas_fusion.lab.table_plan import TablePlan
from nas_fusion.log_formats import name_of_log
from nas_fusion.measures import CostTable
from nas_fusion.search_spaces import FusionSpace, design_code, multiply_add_table, parameter_table
from nas_fusion.settings import SYNTHETIC
from nas_fusion.system.files import lock_file, read_json, sweep, write_text

FACTS, LOCK, PARTS = "facts.json", "lock", ".parts"

Progress = Callable[[int, int], None]
"""Called with how many epochs of stacks are done, those of an earlier run included, and how many there are."""


def make_table(plan: TablePlan, dataset: EncodedDataset, out: Path, progress: Progress = lambda done, of: None) -> Path:
    """Train every design of a plan with every seed, and write the table.

    What is done is kept in a folder beside the file; the same call after an interruption goes on from there. The seeds
    are done one after the other, so that the figures of the first are complete early.

    Args:
        plan: what is trained.
        dataset: the log of its settings.
        out: the table's file.
        progress: is told.

    Returns:
        The folder with the parts, which can be removed now.

    Raises:
        OptionError: recipe or log have what cannot be trained side by side.
        StudyError: the folder belongs to another table, or another process is at it; or a file cannot be written.
    """
    out, rows = Path(out), len(dataset.train)
    check_stackable(dataset, plan.config(rows, 0))
    facts = {log_name(plan.settings.source): {**plan.facts(), **_facts_of(dataset)}}
    folder = out.with_name(out.name + PARTS)
    folder.mkdir(parents=True, exist_ok=True)
    with lock_file(folder / LOCK, wait=False):
        sweep(folder)
        _claim(folder, facts)
        parts = _train_parts(plan, dataset, folder, progress)
        figures = pa.concat_tables([read_figures(part)[0] for part in parts])
        write_figures(out, figures, facts)
    return folder


def log_name(source: str) -> str:
    """What a table calls a log."""
    return source if source.startswith(SYNTHETIC) else name_of_log(source)


def _facts_of(dataset: EncodedDataset) -> dict[str, Any]:
    splits = (dataset.train, dataset.valid, dataset.test)
    return {
        "fingerprint": dataset.fingerprint,
        "rows": [len(split) for split in splits],
        "fields": len(dataset.schema.fields),
        "attainable_auc": dataset.attainable_auc,
    }


def _claim(folder: Path, facts: dict[str, Any]) -> None:
    """Say in the folder what its parts are of, or see that it says the same.

    Raises:
        StudyError: it says something else.
    """
    place = folder / FACTS
    if not place.exists():
        write_text(place, json.dumps(facts, indent=2, sort_keys=True))
        return
    known, wanted = (_flat(content) for content in (read_json(place), json.loads(json.dumps(facts))))
    for name in sorted(known.keys() | wanted.keys()):
        if known.get(name) != wanted.get(name):
            found = f"{name} is {known.get(name)!r} there, and {wanted.get(name)!r} was asked for"
            raise StudyError(f"{folder} has the parts of another table ({found}); remove it, or choose another file")


def _flat(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in content.items():
        found.update(_flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value})
    return found


def _train_parts(plan: TablePlan, dataset: EncodedDataset, folder: Path, progress: Progress) -> list[Path]:
    settings = plan.settings
    space = FusionSpace.for_schema(
        dataset.schema, levels=plan.extent.levels, emb_dim=settings.emb_dim, operations=plan.space.operations
    )
    costs = parameter_table(space), multiply_add_table(space)
    stacks = list(plan.stacks())
    of, done = len(stacks) * len(settings.seeds) * plan.epochs, 0
    parts = []
    for seed in settings.seeds:
        for number, designs in enumerate(stacks):
            part = folder / f"seed{seed}-{number:05d}.parquet"
            parts.append(part)
            if not part.exists():
                tell = partial(_tell, progress, done, of)
                write_figures(part, _figures(plan, space, costs, designs, dataset, seed, tell), {})
            done += plan.epochs
            progress(done, of)
    return parts


def _tell(progress: Progress, before: int, of: int, epoch: int) -> None:
    progress(before + epoch, of)


def _figures(
    plan: TablePlan,
    space: FusionSpace,
    costs: tuple[CostTable, CostTable],
    designs: Sequence[FusionDesign],
    dataset: EncodedDataset,
    seed: int,
    on_epoch: Callable[[int], None],
) -> pa.Table:
    start = time.perf_counter()
    valid, test = train_stack(space, designs, dataset, plan.config(len(dataset.train), seed), on_epoch)
    seconds = (time.perf_counter() - start) / len(designs) / plan.epochs
    weights, multiply_adds = ([table.of(design) for design in designs] for table in costs)
    rows = len(designs) * plan.epochs

    def by_design(values: Sequence[float]) -> np.ndarray:
        return np.repeat(values, plan.epochs)

    columns = {
        "log": [log_name(plan.settings.source)] * rows,
        "code": by_design([design_code(design, plan.space) for design in designs]),
        "seed": np.full(rows, seed),
        "epoch": np.tile(np.arange(1, plan.epochs + 1), len(designs)),
        "valid_auc": valid.ravel(),
        "test_auc": test.ravel(),
        "seconds": np.full(rows, seconds),
        "weights": by_design(weights),
        "multiply_adds": by_design(multiply_adds),
    }
    return pa.table({name: pa.array(columns[name]).cast(kind) for name, kind in COLUMNS.items()})
