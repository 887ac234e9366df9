"""The options of the command line: how each is called, what it may be, and what help says.

What an option may be is checked as it is parsed, where neither the log nor anything slow is needed for that; settings
check the same bounds again for presets, study files and Python.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.errors import UsageError, shown

_A_LOG = "The log: a file, or `synthetic[:ROWS[:SEED]]` for the built-in one"
_A_PRESET = (
    "Settings under a name (`nasfusion presets`), a TOML file, a study's folder, or a tuning's `tuned.json`; options "
    "override it."
)
_A_STORAGE = "postgresql://…, mysql://…, journal:///FILE, grpc://HOST:PORT"


def number(flag: str, bound: Bound, help: str, *, zero: str = "") -> Any:
    """An option that takes a number.

    Args:
        flag: as the user writes it.
        bound: what it may be.
        help: what it is.
        zero: what 0 means, where it is not one of the bound's numbers.
    """

    def read(text: str) -> int | float:
        found = bound.read(str(text))
        if found is None and zero and Bound(0, 0, bound.integer).read(str(text)) is not None:
            return 0
        if found is None:
            raise _refused(flag, f"0 or {bound}" if zero else str(bound), text)
        return found

    words = f"{help.removesuffix('.')}; 0: {zero}." if zero else help
    kind = "integer" if bound.integer else "number"
    return typer.Option(flag, help=f"{words} [{bound.range}]", parser=read, metavar=kind)


def word(flag: str, choices: Iterable[object], help: str) -> Any:
    """An option that takes one of a few words, or one of a few numbers."""
    known = {str(choice): choice for choice in choices}

    def read(found: object) -> object:
        if str(found) not in known:
            near = difflib.get_close_matches(str(found)[:100], known, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise _refused(flag, f"one of {', '.join(known)}", found, hint)
        return known[str(found)]

    return typer.Option(flag, help=help, parser=read, metavar="word")


def path(flag: str, help: str) -> Any:
    """An option that takes the path of a file or a folder."""
    return typer.Option(flag, help=help, parser=_path_of(flag), metavar="path")


def text(flag: str, help: str, form: str = "a text that is not empty", allows: Callable[[str], bool] = bool) -> Any:
    """An option that takes a text, of a form that can be told at once."""

    def read(found: str) -> str:
        if not allows(found):
            raise _refused(flag, form, found)
        return found

    return typer.Option(flag, help=help, parser=read, metavar="text")


def _path_of(name: str) -> Callable[[str], Path]:
    def read(found: str) -> Path:
        if not str(found):
            raise _refused(name, "a path", found)
        return Path(found)

    return read


def _refused(flag: str, expected: str, found: object, hint: str = "") -> UsageError:
    return UsageError(f"{flag} must be {expected}, got {shown(found)}{hint}")


DataOption = Annotated[str, text("--data", f"{_A_LOG}.")]
DataSetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data", help=f"{_A_LOG}; may be repeated: one study per log.  [default: synthetic]", show_default=False
    ),
]
PresetOption = Annotated[str | None, text("--preset", _A_PRESET)]
PresetsOption = Annotated[
    list[str] | None,
    typer.Option("--preset", help=f"{_A_PRESET} With several logs: one for all, or one for each, in order."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="STRATEGY.PARAMETER=VALUE (see `nasfusion strategies`); may be repeated."),
]
FormatOption = Annotated[str, word("--format", bounds.FORMATS, "auto, csv, parquet, libsvm, criteo, avazu or kdd12.")]
LabelOption = Annotated[
    str | None,
    text("--label", "Column with the 0/1 label.  [default: the format's own, or one called label, click, y or target]"),
]
SplitColumnOption = Annotated[
    str | None, text("--split-column", "Column that says train, valid or test for every row.")
]
SplitOption = Annotated[str, text("--split", "random[:8:1:1] or time:COLUMN[:8:1:1]; without a split column.")]
NumericOption = Annotated[
    list[str] | None,
    typer.Option("--numeric", help="COLUMN=bucket, COLUMN=scale or COLUMN=category; may be repeated."),
]
MinCountOption = Annotated[
    int, number("--min-count", bounds.MIN_COUNT, "Values seen less often in training rows share one id.")
]
SpaceOption = Annotated[str, text("--space", "Search space: dcn, dcnv2, dcnv2-low-rank, or a plugin's.")]
LevelsOption = Annotated[int, number("--levels", bounds.LEVELS, "Levels of the space.")]
EmbDimOption = Annotated[
    int, number("--emb-dim", bounds.EMB_DIM, "Width of a field's embedding.", zero="10, or 4 for the built-in log")
]
ProductOption = Annotated[
    str,
    word("--product", bounds.PRODUCT_RULES, "A product with a closed input while searching: zero (published) or open."),
]
BatchNormOption = Annotated[bool, typer.Option("--batch-norm/--no-batch-norm", help="Batch norm in the deep blocks.")]
DropoutOption = Annotated[float, number("--dropout", bounds.DROPOUT, "Dropout in the deep blocks.")]
BudgetOption = Annotated[
    str,
    text(
        "--budget",
        "Per search: samples seen (5x: passes over the training rows, 400k, 3M), candidate trainings of one pass "
        "(12c, or 12c:0.5x of another size) or seconds (600s, 10m; not exactly repeatable).",
    ),
]
CandidatesOption = Annotated[
    int,
    number(
        "--candidates",
        bounds.CANDIDATES,
        "Candidates among which a multi-trial strategy divides the budget; one like 12c decides it itself.",
    ),
]
LearningRateOption = Annotated[float, number("--lr", bounds.LEARNING_RATE, "Adam's learning rate.")]
RetrainLrOption = Annotated[
    float, number("--retrain-lr", bounds.LEARNING_RATE, "Of hard re-training and hand-made models.", zero="--lr")
]
SoftLrOption = Annotated[
    float, number("--soft-lr", bounds.LEARNING_RATE, "Of soft re-training.", zero="a tenth of --lr")
]
EmbeddingL2Option = Annotated[
    float, number("--embedding-l2", bounds.L2, "L2 of the embeddings, in the gradient (BARS: 0.05 on frappe).")
]
EmbeddingOptimizerOption = Annotated[
    str,
    word(
        "--embedding-optimizer",
        bounds.EMBEDDING_OPTIMIZERS,
        "adam, or touched-rows-adam: for millions of features, another algorithm.",
    ),
]
NetworkL2Option = Annotated[float, number("--network-l2", bounds.L2, "L2 of the other weights, in the gradient.")]
BatchSizeOption = Annotated[
    int, number("--batch-size", bounds.BATCH_SIZE, "Rows of a batch.", zero="from the number of rows, at most 4096")
]
EpochsOption = Annotated[int, number("--epochs", bounds.EPOCHS, "Most epochs of a re-training.")]
PatienceOption = Annotated[
    int, number("--patience", bounds.PATIENCE, "Re-training stops after so many epochs without a better AUC.")
]
LrDropOption = Annotated[
    float, number("--lr-drop", bounds.LR_DROP, "Learning rate's factor after an epoch without a better AUC.")
]
ClipOption = Annotated[
    float, number("--gradient-clip", bounds.GRADIENT_CLIP, "Largest norm of the gradient; 0: no clipping.")
]
ConcurrencyOption = Annotated[
    int,
    number(
        "--concurrency",
        bounds.CONCURRENCY,
        "Candidates that a multi-trial strategy proposes before it hears of a result.",
    ),
]
DeviceOption = Annotated[
    str, text("--device", "auto, cpu, cuda or cuda:N.", bounds.DEVICE_FORM, allows=bounds.is_device)
]
OwnDeviceOption = Annotated[
    str | None, text("--device", "auto, cpu, cuda or cuda:N.", bounds.DEVICE_FORM, allows=bounds.is_device)
]
PrecisionOption = Annotated[str, word("--precision", bounds.PRECISIONS, "32, bf16 or 64.")]
MaxParametersOption = Annotated[
    int,
    number(
        "--max-parameters",
        bounds.MOST_COST,
        "Most weights of a searched design's model, embedding table included (docs/how-to/cost.md); 0: any.",
    ),
]
MaxMultiplyAddsOption = Annotated[
    int,
    number("--max-multiply-adds", bounds.MOST_COST, "Most multiply-adds per row of a searched design's model; 0: any."),
]
MaxLatencyOption = Annotated[
    float,
    number(
        "--max-latency",
        bounds.MOST_MILLISECONDS,
        "Most milliseconds in which a searched design predicts a batch, measured on this machine; 0: any.",
    ),
]
LatencyBatchOption = Annotated[
    int,
    word("--latency-batch", bounds.LATENCY_BATCHES, "Rows of the batch that --max-latency is about: 1 or 4096."),
]
CostPenaltyOption = Annotated[
    float,
    number(
        "--cost-penalty",
        bounds.COST_PENALTY,
        "How hard OptFusion is pushed below a limit while it searches; 0: only its derived design is made to fit.",
    ),
]
StrategyOption = Annotated[str, text("--strategy", "Its name (see `nasfusion strategies`).")]
StrategiesOption = Annotated[
    str, text("--strategies", "`all`, or names with commas between them (see `nasfusion strategies`).")
]
SeedsOption = Annotated[str, text("--seeds", "How many (0, 1, …), or a list like 3,5,8.")]
TrialsOption = Annotated[int, number("--trials", Bound(1, bounds.TUNE.high), "How many; the first is the defaults.")]
TuneOption = Annotated[int, number("--tune", bounds.TUNE, "Tuning trials for every strategy, before its cells run.")]
StudyOption = Annotated[Path | None, path("--study", "Study folder.  [default: nasfusion-studies/<name of the log>]")]
TuneStudyOption = Annotated[
    Path | None, path("--study", "Study folder.  [default: nasfusion-studies/<name of the log>-tune-<strategy>]")
]
ProcessesOption = Annotated[
    int,
    number(
        "--processes",
        bounds.PROCESSES,
        "So many cells at once, by processes that share the cores; 0: one per core.",
    ),
]
EngineOption = Annotated[
    str,
    word("--engine", bounds.ENGINES, "in-process, or nni: NNI's training service runs --concurrency trials at once."),
]
NniConfigOption = Annotated[
    Path | None, path("--nni-config", "NNI's own configuration (YAML), for services elsewhere.")
]
AnytimeTestOption = Annotated[
    bool,
    typer.Option(
        "--anytime-test/--no-anytime-test",
        help="Measure the test AUC of a search's best models so far when it is over, for the curves.",
    ),
]
ImportanceOption = Annotated[
    bool,
    typer.Option("--importance/--no-importance", help="Measure what each connection of a found design is worth."),
]
DesignOption = Annotated[Path, path("--out", "Where to write the design; a drawing (.svg) goes beside it.")]
OverrideOption = Annotated[
    bool, typer.Option("--override", help="Let options, preset and log contradict what the design's file says.")
]
WeightsOption = Annotated[Path | None, path("--out", "Where to write the weights (torch format).")]
DesignArgument = Annotated[
    Path, typer.Argument(help="A design in JSON, as `search` and `compare` write it.", parser=_path_of("DESIGN"))
]
StudyArgument = Annotated[
    Path | None, typer.Argument(help="Study folder.  [default: list the known ones]", parser=_path_of("STUDY"))
]
PortOption = Annotated[int, number("--port", bounds.PORT, "Of loopback; 0: any free one.")]
OpenOption = Annotated[bool, typer.Option("--open", help="Open a browser, too.")]
StorageOption = Annotated[
    str | None,
    text("--storage", f"Optuna's storage, to share with workers: {_A_STORAGE}.  [default: SQLite in the study folder]"),
]
SharedStorageOption = Annotated[str, text("--storage", "Optuna's storage that the coordinator uses, too.")]
StudyNameOption = Annotated[str, text("--study", "The study's name: that of the coordinator's study folder.")]
OwnDataOption = Annotated[
    str | None, text("--data", "The same log, where this machine has it.  [default: the same path]")
]
FolderOption = Annotated[
    Path | None, path("--folder", "Where its cells and weights go.  [default: nasfusion-studies/<study>]")
]
ReferenceOption = Annotated[
    str | None,
    text("--reference", "Strategy that the reports compare the others with.  [default: the one validation chooses]"),
]
LatexOption = Annotated[Path | None, path("--latex", "Also write the table as LaTeX (booktabs) into this file.")]
SeedOption = Annotated[int, number("--seed", bounds.SEED, "Seed of everything random.")]
