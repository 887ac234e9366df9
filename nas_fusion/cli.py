"""`nasfusion`: parses, calls, prints; no logic.

Everything slow (torch, NNI, pandas) is imported inside the command that needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.exceptions import TyperException

from nas_fusion.arguments import (
    AnytimeTestOption,
    BatchNormOption,
    BatchSizeOption,
    BudgetOption,
    CandidatesOption,
    ClipOption,
    ConcurrencyOption,
    CostPenaltyOption,
    DataOption,
    DataSetsOption,
    DesignArgument,
    DesignOption,
    DeviceOption,
    DropoutOption,
    EmbDimOption,
    EmbeddingL2Option,
    EmbeddingOptimizerOption,
    EngineOption,
    EpochsOption,
    FolderOption,
    FormatOption,
    ImportanceOption,
    LabelOption,
    LatencyBatchOption,
    LatexOption,
    LearningRateOption,
    LevelsOption,
    LrDropOption,
    MaxLatencyOption,
    MaxMultiplyAddsOption,
    MaxParametersOption,
    MinCountOption,
    NetworkL2Option,
    NniConfigOption,
    NumericOption,
    OpenOption,
    OverrideOption,
    OwnDataOption,
    OwnDeviceOption,
    PatienceOption,
    PortOption,
    PrecisionOption,
    PresetOption,
    PresetsOption,
    ProcessesOption,
    ProductOption,
    ReferenceOption,
    RetrainLrOption,
    SeedOption,
    SeedsOption,
    SetOption,
    SharedStorageOption,
    SoftLrOption,
    SpaceOption,
    SplitColumnOption,
    SplitOption,
    StorageOption,
    StrategiesOption,
    StrategyOption,
    StudyArgument,
    StudyNameOption,
    StudyOption,
    TrialsOption,
    TuneOption,
    TuneStudyOption,
    WeightsOption,
)
from nas_fusion.errors import NasFusionError, one_line
from nas_fusion.system.interrupts import Terminated, end_with_parent, exit_codes, interruptible
from nas_fusion.usage import check_arguments, message_of, show_what_can_be_shown

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
"""What a shell says of a program that SIGPIPE ended."""

app = typer.Typer(
    name="nasfusion",
    help="Search how the blocks of a click-through-rate model should be fused, and compare the ways of searching.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _example(text: str) -> str:
    return f"**Example:** `{text}`"


@app.command(epilog=_example("nasfusion compare --strategies all --data clicks.parquet --label click --budget 5x"))
def compare(
    ctx: typer.Context,
    strategies: StrategiesOption = "all",
    data: DataSetsOption = None,
    preset: PresetsOption = None,
    format: FormatOption = "auto",
    label: LabelOption = None,
    split_column: SplitColumnOption = None,
    split: SplitOption = "random",
    numeric: NumericOption = None,
    min_count: MinCountOption = 2,
    seeds: SeedsOption = "3",
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
    soft_lr: SoftLrOption = 0.0,
    max_parameters: MaxParametersOption = 0,
    max_multiply_adds: MaxMultiplyAddsOption = 0,
    max_latency: MaxLatencyOption = 0.0,
    latency_batch: LatencyBatchOption = 4096,
    cost_penalty: CostPenaltyOption = 0.0,
    tune: TuneOption = 0,
    anytime_test: AnytimeTestOption = True,
    importance: ImportanceOption = True,
    study: StudyOption = None,
    processes: ProcessesOption = 1,
    storage: StorageOption = None,
    engine: EngineOption = "in-process",
    concurrency: ConcurrencyOption = 1,
    nni_config: NniConfigOption = None,
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
    strategy: StrategyOption = "optfusion-hard",
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
    out: DesignOption = Path("design.json"),
    device: DeviceOption = "auto",
    precision: PrecisionOption = "32",
) -> None:
    """Search one design with one strategy and write it as JSON and as a drawing."""
    from nas_fusion.commands import run_search_command

    run_search_command(locals())


@app.command(epilog=_example("nasfusion retrain design.json --data clicks.csv --out model.pt"))
def retrain(
    ctx: typer.Context,
    design: DesignArgument,
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
    override: OverrideOption = False,
    out: WeightsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "32",
) -> None:
    """Train a design from scratch, choose the epoch on the validation rows, report AUC and logloss on the test rows."""
    from nas_fusion.commands import run_retrain_command

    run_retrain_command(locals())


@app.command(epilog=_example("nasfusion tune --strategy optfusion-hard --trials 20 --data clicks.parquet"))
def tune(
    ctx: typer.Context,
    strategy: StrategyOption = "optfusion-hard",
    trials: TrialsOption = 20,
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
    study: TuneStudyOption = None,
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
    storage: SharedStorageOption,
    study: StudyNameOption,
    data: OwnDataOption = None,
    folder: FolderOption = None,
    device: OwnDeviceOption = None,
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


def _command_line(arguments: list[str] | None = None) -> str:
    """The command as it may be shown: without the password of a storage."""
    import re
    import shlex

    text = shlex.join(["nasfusion", *(sys.argv[1:] if arguments is None else arguments)])
    return re.sub(r"(://[^\s:@/]*):[^\s@/]*@", r"\1:***@", text)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line.

    What the user can mend becomes one line and exit code 2; Ctrl-C, SIGTERM and SIGHUP one line, and 128 plus the
    signal's number.
    """
    # Read by torch when it first allocates: huge pages halve the time of a dense step on a large embedding table.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    end_with_parent()
    show_what_can_be_shown()
    asked = list(sys.argv[1:] if arguments is None else arguments)
    with interruptible(last=arguments is None):
        code = _run(asked)
    if code in exit_codes():
        _say_how_to_go_on(code, asked)
    raise SystemExit(code)


def _run(asked: list[str]) -> int:
    try:
        check_arguments(asked)
        return app(asked or ["--help"], prog_name="nasfusion", standalone_mode=False) or 0
    except (NasFusionError, TyperException) as error:
        _fail(message_of(error, asked, _flags()))
    except BrokenPipeError:
        _end_quietly()
    except OSError as error:
        _fail(one_line(f"{error.filename or 'file system'}: {error.strerror or error}"))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Terminated as end:
        return 128 + end.number


def _say_how_to_go_on(code: int, asked: list[str]) -> None:
    goes_on = "what is finished is kept, the same command goes on"
    if asked[:1] in (["search"], ["retrain"]):
        goes_on = "nothing is written, the same command begins anew"
    with suppress(OSError):  # the terminal may be gone
        typer.echo(f"\nnasfusion: {exit_codes()[code]}; {goes_on}: {_command_line(asked)}", err=True)


def _flags() -> dict[str, dict[str, str]]:
    """Command → name of an option in Python, or without its dashes → as the user writes it."""
    group: Any = typer.main.get_command(app)
    return {name: dict(_names(command.params)) for name, command in group.commands.items()}


def _names(parameters: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        flag = parameter.opts[0]
        written = flag if flag.startswith("-") else flag.upper()
        yield parameter.name, written
        yield flag.lstrip("-").replace("-", "_"), written


def _fail(message: str) -> NoReturn:
    with suppress(OSError):  # standard error may be a file on the disk that is full
        typer.echo(f"nasfusion: error: {message}", err=True)
    raise SystemExit(EXIT_BAD_INPUT)


def _end_quietly() -> NoReturn:
    """Whoever read the output has closed it, and needs no word about it; nor does the last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(EXIT_CLOSED_PIPE)
