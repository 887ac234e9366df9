"""`nasfusion`: parses, calls, prints; no logic.

Everything slow (torch, NNI, pandas) is imported inside the command that needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nas_fusion.errors import NasFusionError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="nasfusion",
    help="Search how the blocks of a click-through-rate model should be fused, and compare the ways of searching.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

DataOption = Annotated[
    str, typer.Option("--data", help="The log: a file, or `synthetic[:ROWS[:SEED]]` for the built-in one.")
]
DataSetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="The log: a file, or `synthetic[:ROWS[:SEED]]` for the built-in one; may be repeated: one study per log.  "
        "[default: synthetic]",
        show_default=False,
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option("--preset", help="Settings under a name (`nasfusion presets`), or a TOML file; options override it."),
]
PresetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--preset",
        help="Settings under a name (`nasfusion presets`), or a TOML file; options override it. With several logs: one "
        "for all, or one for each, in order.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="STRATEGY.PARAMETER=VALUE (see `nasfusion strategies`); may be repeated."),
]
FormatOption = Annotated[
    str, typer.Option("--format", help="auto, csv, parquet, libsvm, criteo, avazu or kdd12.", show_default=True)
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        help="Column with the 0/1 label.  [default: the format's own, or one called label, click, y or target]",
    ),
]
SplitColumnOption = Annotated[
    str | None, typer.Option("--split-column", help="Column that says train, valid or test for every row.")
]
SplitOption = Annotated[
    str, typer.Option("--split", help="random[:8:1:1] or time:COLUMN[:8:1:1]; without a split column.")
]
NumericOption = Annotated[
    list[str] | None,
    typer.Option("--numeric", help="COLUMN=bucket, COLUMN=scale or COLUMN=category; may be repeated."),
]
MinCountOption = Annotated[
    int, typer.Option("--min-count", help="Values seen less often in training rows share one id.", min=1)
]
SpaceOption = Annotated[str, typer.Option("--space", help="Search space: dcn, dcnv2, dcnv2-low-rank, or a plugin's.")]
LevelsOption = Annotated[int, typer.Option("--levels", help="Levels of the space.", min=1)]
EmbDimOption = Annotated[
    int, typer.Option("--emb-dim", help="Width of a field's embedding; 0: 10, or 4 for the built-in log.", min=0)
]
ProductOption = Annotated[
    str, typer.Option("--product", help="A product with a closed input while searching: zero (published) or open.")
]
BatchNormOption = Annotated[bool, typer.Option("--batch-norm/--no-batch-norm", help="Batch norm in the deep blocks.")]
DropoutOption = Annotated[float, typer.Option("--dropout", help="Dropout in the deep blocks.", min=0, max=0.99)]
BudgetOption = Annotated[
    str,
    typer.Option(
        "--budget",
        help="Per search: samples seen (5x: passes over the training rows, 400k, 3M), candidate trainings of one pass "
        "(12c, or 12c:0.5x of another size) or seconds (600s, 10m; not exactly repeatable).",
    ),
]
CandidatesOption = Annotated[
    int,
    typer.Option(
        "--candidates",
        help="Candidates among which a multi-trial strategy divides the budget; one like 12c decides it itself.",
        min=1,
    ),
]
LearningRateOption = Annotated[float, typer.Option("--lr", help="Adam's learning rate.")]
RetrainLrOption = Annotated[
    float, typer.Option("--retrain-lr", help="Of hard re-training and hand-made models; 0: --lr.", min=0)
]
EmbeddingL2Option = Annotated[
    float, typer.Option("--embedding-l2", help="L2 of the embeddings, in the gradient (BARS: 0.05 on frappe).")
]
EmbeddingOptimizerOption = Annotated[
    str,
    typer.Option(
        "--embedding-optimizer", help="adam, or touched-rows-adam: for millions of features, another algorithm."
    ),
]
NetworkL2Option = Annotated[float, typer.Option("--network-l2", help="L2 of the other weights, in the gradient.")]
BatchSizeOption = Annotated[int, typer.Option("--batch-size", help="0: from the number of rows, at most 4096.", min=0)]
EpochsOption = Annotated[int, typer.Option("--epochs", help="Most epochs of a re-training.", min=1)]
PatienceOption = Annotated[
    int, typer.Option("--patience", help="Re-training stops after so many epochs without a better AUC.", min=0)
]
LrDropOption = Annotated[
    float, typer.Option("--lr-drop", help="Learning rate's factor after an epoch without a better AUC.")
]
ClipOption = Annotated[float, typer.Option("--gradient-clip", help="Largest norm of the gradient; 0: none.", min=0)]
ConcurrencyOption = Annotated[
    int,
    typer.Option(
        "--concurrency", help="Candidates that a multi-trial strategy proposes before it hears of a result.", min=1
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
PrecisionOption = Annotated[str, typer.Option("--precision", help="32, bf16 or 64.")]
MaxParametersOption = Annotated[
    int,
    typer.Option(
        "--max-parameters",
        min=0,
        help="Most weights of a searched design's model, embedding table included (docs/cost.md); 0: any.",
    ),
]
MaxMultiplyAddsOption = Annotated[
    int,
    typer.Option("--max-multiply-adds", min=0, help="Most multiply-adds per row of a searched design's model; 0: any."),
]
MaxLatencyOption = Annotated[
    float,
    typer.Option(
        "--max-latency",
        min=0,
        help="Most milliseconds in which a searched design predicts a batch, measured on this machine; 0: any.",
    ),
]
LatencyBatchOption = Annotated[
    int, typer.Option("--latency-batch", help="Rows of the batch that --max-latency is about: 1 or 4096.")
]
CostPenaltyOption = Annotated[
    float,
    typer.Option(
        "--cost-penalty",
        min=0,
        help="How hard OptFusion is pushed below a limit while it searches; 0: only its derived design is made to fit.",
    ),
]
StudyArgument = Annotated[Path | None, typer.Argument(help="Study folder.  [default: list the known ones]")]
PortOption = Annotated[int, typer.Option("--port", help="Of loopback; 0: any free one.", min=0, max=65535)]
OpenOption = Annotated[bool, typer.Option("--open", help="Open a browser, too.")]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        help="Optuna's storage, to share with workers: postgresql://…, mysql://…, journal:///FILE, grpc://HOST:PORT.  "
        "[default: SQLite in the study folder]",
    ),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(
        "--reference", help="Strategy that the reports compare the others with.  [default: the one validation chooses]"
    ),
]
LatexOption = Annotated[
    Path | None, typer.Option("--latex", help="Also write the table as LaTeX (booktabs) into this file.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]


def _example(text: str) -> str:
    return f"**Example:** `{text}`"


@app.command(epilog=_example("nasfusion compare --strategies all --data clicks.parquet --label click --budget 5x"))
def compare(
    ctx: typer.Context,
    strategies: Annotated[
        str, typer.Option("--strategies", help="`all`, or names with commas between them (see `nasfusion strategies`).")
    ] = "all",
    data: DataSetsOption = None,
    preset: PresetsOption = None,
    format: FormatOption = "auto",
    label: LabelOption = None,
    split_column: SplitColumnOption = None,
    split: SplitOption = "random",
    numeric: NumericOption = None,
    min_count: MinCountOption = 2,
    seeds: Annotated[str, typer.Option("--seeds", help="How many (0, 1, …), or a list like 3,5,8.")] = "3",
    parameters: SetOption = None,
    budget: BudgetOption = "5x",
    candidates: CandidatesOption = 10,
    space: SpaceOption = "dcn",
    levels: LevelsOption = 3,
    emb_dim: EmbDimOption = 0,
    product: ProductOption = "zero",
    batch_norm: BatchNormOption = False,
    dropout: DropoutOption = 0.0,
    lr: LearningRateOption = 1e-3,
    retrain_lr: RetrainLrOption = 0.0,
    embedding_optimizer: EmbeddingOptimizerOption = "adam",
    embedding_l2: EmbeddingL2Option = 0.0,
    network_l2: NetworkL2Option = 0.0,
    batch_size: BatchSizeOption = 0,
    epochs: EpochsOption = 20,
    patience: PatienceOption = 2,
    lr_drop: LrDropOption = 0.1,
    gradient_clip: ClipOption = 0.0,
    soft_lr: Annotated[float, typer.Option("--soft-lr", help="Of soft re-training; 0: a tenth of --lr.")] = 0.0,
    max_parameters: MaxParametersOption = 0,
    max_multiply_adds: MaxMultiplyAddsOption = 0,
    max_latency: MaxLatencyOption = 0.0,
    latency_batch: LatencyBatchOption = 4096,
    cost_penalty: CostPenaltyOption = 0.0,
    tune: Annotated[
        int, typer.Option("--tune", help="Tuning trials for every strategy, before its cells run.", min=0)
    ] = 0,
    anytime_test: Annotated[
        bool,
        typer.Option(
            "--anytime-test/--no-anytime-test",
            help="Measure the test AUC of a search's best models so far when it is over, for the curves.",
        ),
    ] = True,
    importance: Annotated[
        bool,
        typer.Option("--importance/--no-importance", help="Measure what each connection of a found design is worth."),
    ] = True,
    study: Annotated[
        Path | None, typer.Option("--study", help="Study folder.  [default: nasfusion-studies/<name of the log>]")
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            "--processes", help="So many cells at once, by processes that share the cores; 0: one per core.", min=0
        ),
    ] = 1,
    storage: StorageOption = None,
    engine: Annotated[
        str,
        typer.Option("--engine", help="in-process, or nni: NNI's training service runs --concurrency trials at once."),
    ] = "in-process",
    concurrency: ConcurrencyOption = 1,
    nni_config: Annotated[
        Path | None, typer.Option("--nni-config", help="NNI's own configuration (YAML), for services elsewhere.")
    ] = None,
    reference: ReferenceOption = None,
    latex: LatexOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "32",
) -> None:
    """Compare strategies on a log, under one budget, over several seeds.

    Every strategy searches a design on the training and validation rows; every design is re-trained alike and then
    tested once. The study folder keeps everything: the same command goes on where it was stopped.
    """
    from nas_fusion.commands import run_compare

    run_compare(locals(), command=_command_line())


@app.command(epilog=_example("nasfusion search --strategy optfusion-hard --data clicks.csv --out design.json"))
def search(
    ctx: typer.Context,
    strategy: Annotated[
        str, typer.Option("--strategy", help="Its name (see `nasfusion strategies`).")
    ] = "optfusion-hard",
    data: DataOption = "synthetic",
    preset: PresetOption = None,
    format: FormatOption = "auto",
    label: LabelOption = None,
    split_column: SplitColumnOption = None,
    split: SplitOption = "random",
    numeric: NumericOption = None,
    min_count: MinCountOption = 2,
    seed: SeedOption = 0,
    parameters: SetOption = None,
    budget: BudgetOption = "5x",
    candidates: CandidatesOption = 10,
    space: SpaceOption = "dcn",
    levels: LevelsOption = 3,
    emb_dim: EmbDimOption = 0,
    product: ProductOption = "zero",
    batch_norm: BatchNormOption = False,
    dropout: DropoutOption = 0.0,
    lr: LearningRateOption = 1e-3,
    retrain_lr: RetrainLrOption = 0.0,
    embedding_optimizer: EmbeddingOptimizerOption = "adam",
    embedding_l2: EmbeddingL2Option = 0.0,
    network_l2: NetworkL2Option = 0.0,
    batch_size: BatchSizeOption = 0,
    epochs: EpochsOption = 20,
    patience: PatienceOption = 2,
    lr_drop: LrDropOption = 0.1,
    gradient_clip: ClipOption = 0.0,
    max_parameters: MaxParametersOption = 0,
    max_multiply_adds: MaxMultiplyAddsOption = 0,
    max_latency: MaxLatencyOption = 0.0,
    latency_batch: LatencyBatchOption = 4096,
    cost_penalty: CostPenaltyOption = 0.0,
    concurrency: ConcurrencyOption = 1,
    out: Annotated[
        Path, typer.Option("--out", help="Where to write the design; a drawing (.svg) goes beside it.")
    ] = Path("design.json"),
    device: DeviceOption = "auto",
    precision: PrecisionOption = "32",
) -> None:
    """Search one design with one strategy and write it as JSON and as a drawing."""
    from nas_fusion.commands import run_search_command

    run_search_command(locals())


@app.command(epilog=_example("nasfusion retrain design.json --data clicks.csv --out model.pt"))
def retrain(
    ctx: typer.Context,
    design: Annotated[Path, typer.Argument(help="A design in JSON, as `search` and `compare` write it.")],
    data: DataOption = "synthetic",
    preset: PresetOption = None,
    format: FormatOption = "auto",
    label: LabelOption = None,
    split_column: SplitColumnOption = None,
    split: SplitOption = "random",
    numeric: NumericOption = None,
    min_count: MinCountOption = 2,
    seed: SeedOption = 0,
    space: SpaceOption = "dcn",
    emb_dim: EmbDimOption = 0,
    batch_norm: BatchNormOption = False,
    dropout: DropoutOption = 0.0,
    lr: LearningRateOption = 1e-3,
    embedding_optimizer: EmbeddingOptimizerOption = "adam",
    embedding_l2: EmbeddingL2Option = 0.0,
    network_l2: NetworkL2Option = 0.0,
    batch_size: BatchSizeOption = 0,
    epochs: EpochsOption = 20,
    patience: PatienceOption = 2,
    lr_drop: LrDropOption = 0.1,
    gradient_clip: ClipOption = 0.0,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the weights (torch format).")] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "32",
) -> None:
    """Train a design from scratch, choose the epoch on the validation rows, report AUC and logloss on the test rows."""
    from nas_fusion.commands import run_retrain_command

    run_retrain_command(locals())


@app.command(epilog=_example("nasfusion tune --strategy optfusion-hard --trials 20 --data clicks.parquet"))
def tune(
    ctx: typer.Context,
    strategy: Annotated[
        str, typer.Option("--strategy", help="Its name (see `nasfusion strategies`).")
    ] = "optfusion-hard",
    trials: Annotated[int, typer.Option("--trials", help="How many; the first is the defaults.", min=1)] = 20,
    data: DataOption = "synthetic",
    preset: PresetOption = None,
    format: FormatOption = "auto",
    label: LabelOption = None,
    split_column: SplitColumnOption = None,
    split: SplitOption = "random",
    numeric: NumericOption = None,
    min_count: MinCountOption = 2,
    seed: SeedOption = 0,
    parameters: SetOption = None,
    budget: BudgetOption = "5x",
    candidates: CandidatesOption = 10,
    space: SpaceOption = "dcn",
    levels: LevelsOption = 3,
    emb_dim: EmbDimOption = 0,
    product: ProductOption = "zero",
    batch_norm: BatchNormOption = False,
    dropout: DropoutOption = 0.0,
    lr: LearningRateOption = 1e-3,
    retrain_lr: RetrainLrOption = 0.0,
    embedding_optimizer: EmbeddingOptimizerOption = "adam",
    embedding_l2: EmbeddingL2Option = 0.0,
    network_l2: NetworkL2Option = 0.0,
    batch_size: BatchSizeOption = 0,
    epochs: EpochsOption = 20,
    patience: PatienceOption = 2,
    lr_drop: LrDropOption = 0.1,
    gradient_clip: ClipOption = 0.0,
    max_parameters: MaxParametersOption = 0,
    max_multiply_adds: MaxMultiplyAddsOption = 0,
    max_latency: MaxLatencyOption = 0.0,
    latency_batch: LatencyBatchOption = 4096,
    cost_penalty: CostPenaltyOption = 0.0,
    study: Annotated[
        Path | None,
        typer.Option("--study", help="Study folder.  [default: nasfusion-studies/<name of the log>-tune-<strategy>]"),
    ] = None,
    storage: StorageOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "32",
) -> None:
    """Tune a strategy's hyperparameters, and the recipe's, with Optuna.

    A trial is a search and a re-training; its value is the validation AUC. Trials that fall behind are stopped early.
    The options of the recipe are where tuning starts from. The same command goes on where it was stopped; with
    `--storage`, any number of `nasfusion worker` processes take part.
    """
    from nas_fusion.commands import run_tune

    run_tune(locals())


@app.command(epilog=_example("nasfusion worker --storage postgresql://user@host/nasfusion --study clicks"))
def worker(
    storage: Annotated[str, typer.Option("--storage", help="Optuna's storage that the coordinator uses, too.")],
    study: Annotated[str, typer.Option("--study", help="The study's name: that of the coordinator's study folder.")],
    data: Annotated[
        str | None, typer.Option("--data", help="The same log, where this machine has it.  [default: the same path]")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where its cells and weights go.  [default: nasfusion-studies/<study>]"),
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = None,
) -> None:
    """Help with a comparison or a tuning that `compare` or `tune` coordinates with the same `--storage`.

    Cells and tuning trials are claimed one by one, by any number of workers on any machines; one whose worker dies is
    done by another. Of a comparison on several logs, --study names all of them or one (clicks/monday). Ends when there
    is nothing left to do.
    """
    from nas_fusion.commands import run_worker

    run_worker(locals())


@app.command(epilog=_example("nasfusion ui nasfusion-studies/clicks --port 8080"))
def ui(
    study: StudyArgument = None,
    port: PortOption = 0,
    open_browser: OpenOption = False,
) -> None:
    """Show a study in NNI's web UI, also while it runs.

    Every search, candidate and re-training is a trial there: its validation AUC after every epoch is the curve, and
    every connection and operation is an axis of the hyper-parameter graph. Ctrl-C ends it; the study is not touched.
    """
    from nas_fusion.commands import run_ui

    run_ui(locals())


@app.command(epilog=_example("nasfusion dashboard nasfusion-studies/clicks --open"))
def dashboard(
    study: StudyArgument = None,
    storage: StorageOption = None,
    port: PortOption = 0,
    open_browser: OpenOption = False,
) -> None:
    """Show a study in Optuna's dashboard, also while it runs.

    Every cell (strategy and seed) is a trial there, with its validation AUC by epoch, its test figures, its design and
    the drawing of it; the comparison's own figures stand on the study's page. Ctrl-C ends it.
    """
    from nas_fusion.commands import run_dashboard

    run_dashboard(locals())


@app.command(epilog=_example("nasfusion report nasfusion-studies/clicks --reference DCN --latex table.tex"))
def report(
    study: StudyArgument = None,
    reference: ReferenceOption = None,
    latex: LatexOption = None,
) -> None:
    """Write a study's reports again from its finished cells, also while it runs; nothing is trained.

    report.html, report.md, results.csv and summary.csv in the study folder are replaced; of a comparison on several
    logs, those of every log and the report over all of them.
    """
    from nas_fusion.commands import run_report

    run_report(locals())


@app.command(epilog=_example("nasfusion strategies"))
def strategies() -> None:
    """List every known strategy, plugins included."""
    from nas_fusion.commands import run_strategies

    run_strategies()


@app.command(epilog=_example("nasfusion presets"))
def presets() -> None:
    """List the presets: what they set, and where that is from."""
    from nas_fusion.commands import run_presets

    run_presets()


@app.command(epilog=_example("nasfusion data --data train.txt --format criteo"))
def data(
    data: DataOption = "synthetic",
    format: FormatOption = "auto",
    label: LabelOption = None,
    split_column: SplitColumnOption = None,
    split: SplitOption = "random",
    numeric: NumericOption = None,
    min_count: MinCountOption = 2,
) -> None:
    """Say what is in a log: fields, sizes, missing and unknown values, label rate, splits."""
    from nas_fusion.commands import run_data

    run_data(locals())


@app.command(epilog=_example("nasfusion version"))
def version() -> None:
    """Print the version."""
    from nas_fusion import __version__

    typer.echo(f"nas-fusion {__version__}")


def _command_line() -> str:
    import shlex

    return shlex.join(["nasfusion", *sys.argv[1:]])


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; errors that nas-fusion raises on purpose become one line and exit code 2."""
    # Read by torch when it first allocates: huge pages halve the time of a dense step on a large embedding table.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        return app(arguments)
    except NasFusionError as error:
        _fail(" ".join(str(error).split()))
    except OSError as error:
        _fail(f"{error.filename or 'file system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        typer.echo("\ninterrupted; what is finished is kept, the same command goes on", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None


def _fail(message: str) -> None:
    typer.echo(f"nasfusion: error: {message}", err=True)
    raise SystemExit(EXIT_BAD_INPUT)
