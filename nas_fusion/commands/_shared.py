"""What several commands do: where they print, how they read a log and its options."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nas_fusion import bounds
from nas_fusion.errors import OptionError, harmless

PIPED_WIDTH = 120
DEFAULT_STUDIES = Path("nasfusion-studies")
NUMERIC_FORM = "COLUMN=bucket, COLUMN=scale or COLUMN=category"
SEEDS_FORM = f"how many ({bounds.MANY_SEEDS.range}), or a list like 3,5,8 of different ones, each {bounds.SEED.range}"

EXIT_INCOMPLETE = 3
"""The comparison has ended and its reports are written, but not every cell has a result."""

Options = Mapping[str, Any]


@contextmanager
def output() -> Iterator[Console]:
    # Warnings of libraries are for developers; the project's own go through its logger.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    console = Console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    handler = _warnings_handler()
    handler.addFilter(_harmless_record)
    logger = logging.getLogger("nas_fusion")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield console
    finally:
        logger.removeHandler(handler)


def _warnings_handler() -> logging.Handler:
    """Wrapped where somebody reads it; one line a warning where it goes into a file."""
    from rich.logging import RichHandler

    errors = Console(stderr=True)
    if errors.is_terminal:
        return RichHandler(console=errors, show_time=False, show_path=False)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-8s %(message)s"))
    return handler


def _harmless_record(record: logging.LogRecord) -> bool:
    """Warnings quote names of files and columns, which may be anything."""
    record.msg, record.args = harmless(record.getMessage()), ()
    return True


def print_plain(console: Console, line: str) -> None:
    """A line as it is: names of folders, logs and columns may look like markup, or hold what a terminal obeys."""
    console.print(harmless(line), highlight=False, markup=False, soft_wrap=True)


def data_options(options: Options) -> Any:
    from nas_fusion.data import DataOptions

    numeric = []
    for item in options["numeric"] or ():
        column, equals, rule = item.rpartition("=")
        if not equals or not column:
            raise OptionError("numeric", NUMERIC_FORM, item)
        numeric.append((column, rule))
    return DataOptions(
        format=options["format"],
        label=options["label"],
        split_column=options["split_column"],
        split=options["split"],
        min_count=options["min_count"],
        numeric=tuple(numeric),
        **options.get("preset_data", {}),
    )


def prepare_log(console: Console, options: Options) -> Any:
    from nas_fusion.data import prepare

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading the log", total=1.0)
        return prepare(
            options["data"],
            data_options(options),
            progress=lambda what, share: progress.update(task, description=what, completed=share),
        )


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read ``3`` (seeds 0, 1, 2) or ``3,5,8``; a single seed is ``7,``.

    Raises:
        OptionError: neither.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    bound = bounds.SEED if "," in text else bounds.MANY_SEEDS
    numbers = [bound.read(part) for part in parts]
    if not numbers or None in numbers or len(numbers) > bounds.MANY_SEEDS.high or len(set(numbers)) < len(numbers):
        raise OptionError("seeds", SEEDS_FORM, text)
    found = tuple(int(number) for number in numbers if number is not None)
    return found if "," in text else tuple(range(found[0]))


def settings_of(options: Options, strategies: tuple[str, ...], seeds: tuple[int, ...]) -> Any:
    from nas_fusion.commands._options import strategy_parameters
    from nas_fusion.studies import ComparisonSettings, LimitSettings, ModelSettings, RecipeSettings

    return ComparisonSettings(
        source=str(options["data"]),
        data=data_options(options),
        strategies=strategies,
        seeds=seeds,
        budget=options.get("budget", "5x"),
        candidates=options.get("candidates", 10),
        concurrency=options.get("concurrency", 1),
        tune=options.get("tune", 0),
        anytime_test=options.get("anytime_test", True),
        importance=options.get("importance", True),
        parameters=strategy_parameters(options, strategies),
        model=ModelSettings(
            space=options["space"],
            levels=options["levels"],
            emb_dim=options["emb_dim"],
            product=options.get("product", "zero"),
            batch_norm=options["batch_norm"],
            dropout=options["dropout"],
        ),
        recipe=RecipeSettings(
            learning_rate=options["lr"],
            retrain_learning_rate=options.get("retrain_lr", 0.0),
            embedding_optimizer=options["embedding_optimizer"],
            embedding_l2=options["embedding_l2"],
            network_l2=options["network_l2"],
            batch_size=options["batch_size"],
            retrain_epochs=options.get("epochs", 20),
            patience=options.get("patience", 2),
            lr_drop=options.get("lr_drop", 0.1),
            gradient_clip=options["gradient_clip"],
            soft_learning_rate=options.get("soft_lr", 0.0),
        ),
        limits=LimitSettings(
            parameters=options.get("max_parameters", 0),
            multiply_adds=options.get("max_multiply_adds", 0),
            latency_ms=options.get("max_latency", 0.0),
            latency_batch=options.get("latency_batch", 4096),
            cost_penalty=options.get("cost_penalty", 0.0),
        ),
        device=options["device"],
        precision=options["precision"],
    )


def default_study(data: str) -> Path:
    """The study folder of a log whose user named none."""
    return DEFAULT_STUDIES / (data.replace(":", "-") if data.startswith("synthetic") else Path(data).stem)


def data_line(name: str, dataset: Any) -> str:
    splits = " / ".join(f"{len(s):,}" for s in (dataset.train, dataset.valid, dataset.test))
    line = f"{name}: {splits} rows (train / valid / test), {len(dataset.schema.fields)} fields, "
    line += f"{dataset.schema.num_features:,} features, {dataset.train.label_rate:.1%} positive"
    if dataset.attainable_auc is not None:
        line += f"; best attainable test AUC {dataset.attainable_auc:.4f}"
    return line


def print_tuning(console: Console, strategy: str, done: int, total: int, outcome: str) -> None:
    line = f"[{done:>{len(str(total))}}/{total}] tuning of {strategy:<16} {outcome}"
    print_plain(console, line)
