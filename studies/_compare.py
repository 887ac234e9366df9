"""Compare strategies: every cell is searched, re-trained and tested once; a killed comparison goes on."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import NasFusionError, StudyError
from nas_fusion.files import new_folder, save_tensors, write_text
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report import best_cell, comparison_figures, draw_design, write_report, write_results_csv
from nas_fusion.search import Budget, SearchOutcome, SearchTask, retrain, run_search
from nas_fusion.search_spaces import SPACES, FusionSpace
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.studies._cells import Cell, CellBook
from nas_fusion.studies._folder import StudyFolder
from nas_fusion.studies._searches import load_search, save_search
from nas_fusion.studies._settings import ComparisonSettings
from nas_fusion.training import evaluate, seeded
from nas_fusion.trials import LabelledLog, SilentLog, TrialLog

CellListener = Callable[[CellRecord, int, int], None]
"""Called with each cell, how many are done, and how many there are."""

_PACKAGES = ("nas-fusion", "torch", "nni", "pytorch-lightning", "optuna", "numpy")


@dataclass(frozen=True)
class Comparison:
    """A finished comparison."""

    records: tuple[CellRecord, ...]
    info: ComparisonInfo
    folder: StudyFolder


def make_space(settings: ComparisonSettings, dataset: EncodedDataset) -> FusionSpace:
    """The search space of a comparison, with fresh weights from the current random state."""
    model = settings.model
    space: FusionSpace = SPACES.get(model.space)(
        field_sizes=list(dataset.schema.field_sizes),
        value_fields=list(dataset.schema.value_fields),
        levels=model.levels,
        emb_dim=settings.emb_dim,
        product=model.product,
        batch_norm=model.batch_norm,
        dropout=model.dropout,
    )
    return space


def compare(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    folder: str | Path,
    *,
    console: Console | None = None,
    listener: CellListener | None = None,
    command: str | None = None,
) -> Comparison:
    """Run every cell that is not done yet, then write the results.

    Args:
        settings: what is compared on what.
        dataset: the encoded log.
        folder: the study folder; an unfinished comparison in it goes on.
        console: where progress bars appear; None for none.
        listener: told of every cell, those that were done before included.
        command: the command that repeats the comparison, for the report.

    Raises:
        StudyError: the folder belongs to other settings, or to another process.
        NasFusionError: a cell could not be run; the others are kept.
    """
    study = StudyFolder(folder)
    study.check(settings, dataset.fingerprint)
    runner = _Runner(settings, dataset, study, console, SilentLog())
    with study.locked(settings, dataset.fingerprint):
        with study.recorder(settings) as runner.trials:
            records = runner.run(listener or (lambda record, done, total: None))
        info = comparison_info(settings, dataset, command)
        _write_results(study, records, info)
        runner.book.publish(comparison_figures(records, info))
    return Comparison(tuple(records), info, study)


@dataclass
class _Runner:
    settings: ComparisonSettings
    dataset: EncodedDataset
    study: StudyFolder
    console: Console | None
    trials: TrialLog
    book: CellBook = field(init=False)

    def __post_init__(self) -> None:
        self.entries = {name: STRATEGIES.get(name) for name in self.settings.strategies}
        self.budget = Budget.parse(self.settings.budget, len(self.dataset.train))
        with seeded(0):
            make_space(self.settings, self.dataset)  # a bad option shows before anything is written

    def cells(self) -> list[Cell]:
        """All cells in the order in which they run: seed by seed, so that every strategy soon has a first row."""
        return [Cell(name, seed) for seed in self.settings.seeds for name in self.entries]

    def run(self, listener: CellListener) -> list[CellRecord]:
        cells = self.cells()
        book = self.book = CellBook(self.study.storage_url, cells, self.study.artifacts)
        done = book.done()
        records: dict[Cell, CellRecord] = {}
        for cell in cells:
            record = self._load(cell) if cell in done else None
            if record is None:
                if cell in done:
                    book.repeat(cell)
                record = self._run_cell(book, cell)
            records[cell] = record
            self._write_csv(records)
            listener(record, len(records), len(cells))
        return self._in_table_order(records)

    def _in_table_order(self, records: dict[Cell, CellRecord]) -> list[CellRecord]:
        order = [Cell(name, seed) for name in self.entries for seed in self.settings.seeds]
        return [records[cell] for cell in order if cell in records]

    def _write_csv(self, records: dict[Cell, CellRecord]) -> None:
        write_results_csv(self._in_table_order(records), self.study.results)

    def _load(self, cell: Cell) -> CellRecord | None:
        path = self.study.cell(cell.strategy, cell.seed) / "cell.json"
        return CellRecord.from_json(path.read_text("utf-8")) if path.exists() else None

    def _run_cell(self, book: CellBook, cell: Cell) -> CellRecord:
        trial = book.start(cell)
        try:
            # A cell that was written but not yet marked as done when the process was killed is not run again.
            record = self._load(cell) or self._compute(cell)
        except NasFusionError as error:
            book.fail(trial, str(error))
            raise StudyError(f"{cell.strategy}, seed {cell.seed}: {error}") from error
        book.finish(trial, record, self.study.cell(cell.strategy, cell.seed))
        return record

    def _compute(self, cell: Cell) -> CellRecord:
        entry = self.entries[cell.strategy]
        config = self.settings.train_config(len(self.dataset.train), cell.seed)
        task = SearchTask(
            data=self.dataset.search_view(),
            make_space=partial(make_space, self.settings, self.dataset),
            config=config,
            budget=self.budget,
            candidates=self.settings.candidates,
            label=f"{cell.strategy} seed {cell.seed}",
            console=self.console,
            trials=LabelledLog(self.trials, {"strategy": cell.strategy, "seed": cell.seed}),
        )
        outcome = self._search(entry, task)
        recipe = self.settings.soft_config(config) if entry.mode == "soft" else config
        with task.trials.trial("re-train", outcome.design) as trial:
            trained = retrain(entry, outcome, task, recipe, lambda record: trial.validated(record.valid_auc))
            test = evaluate(trained.model, self.dataset.test, config)
            trial.result(trained.fit.best_valid_auc, test_auc=test.auc, test_logloss=test.logloss)
        record = CellRecord(
            strategy=cell.strategy,
            seed=cell.seed,
            kind=entry.kind,
            design=outcome.design,
            mode=entry.mode,
            search_valid_auc=outcome.valid_auc,
            valid_auc=trained.fit.best_valid_auc,
            valid_logloss=trained.fit.best_valid_logloss,
            test_auc=test.auc,
            test_logloss=test.logloss,
            search_seconds=outcome.seconds,
            retrain_seconds=trained.seconds,
            search_samples=outcome.samples,
            retrain_samples=trained.fit.samples,
            parameters=trained.parameters,
            candidates=outcome.candidates,
            trace=outcome.trace,
            retrain_history=trained.history,
            shares_search_with=entry.shares_search_with,
            details=outcome.details,
        )
        with new_folder(self.study.cell(cell.strategy, cell.seed)) as folder:
            save_tensors(folder / "model.pt", trained.model.state_dict())
            write_text(folder / "design.json", record.design.to_json() + "\n")
            write_text(folder / "design.svg", draw_design(record.design, title=f"{cell.strategy}, seed {cell.seed}"))
            write_text(folder / "cell.json", record.to_json())
        return record

    def _search(self, entry: StrategyEntry, task: SearchTask) -> SearchOutcome:
        shared = any(e.shares_search_with == entry.search_name for e in self.entries.values())
        if not shared:
            return run_search(entry, task)
        folder = self.study.search(entry.search_name, task.seed)
        outcome = load_search(folder)
        if outcome is None:
            outcome = run_search(STRATEGIES.get(entry.search_name), task)
            save_search(folder, outcome)
        return outcome


def comparison_info(settings: ComparisonSettings, dataset: EncodedDataset, command: str | None) -> ComparisonInfo:
    """What the table and the report say about the comparison as a whole."""
    splits = (dataset.train, dataset.valid, dataset.test)
    rows = (len(dataset.train), len(dataset.valid), len(dataset.test))
    budget = Budget.parse(settings.budget, rows[0])
    content = settings.to_dict()
    content["recipe"]["batch_size"] = settings.batch_size(rows[0])
    content["model"]["emb_dim"] = settings.emb_dim
    return ComparisonInfo(
        data=settings.source,
        rows=rows,
        fields=len(dataset.schema.fields),
        features=dataset.schema.num_features,
        label_rate=sum(s.label_rate * len(s) for s in splits) / sum(rows),
        attainable_auc=dataset.attainable_auc,
        budget=f"{budget.samples:,} samples seen while searching, per strategy and seed",
        seeds=settings.seeds,
        settings=content,
        versions={name: version(name) for name in _PACKAGES} | {"python": platform.python_version()},
        command=command,
    )


def _write_results(study: StudyFolder, records: list[CellRecord], info: ComparisonInfo) -> None:
    best = best_cell(records)
    assert best is not None, "a comparison has at least one cell"
    write_text(study.best_json, best.design.to_json() + "\n")
    write_text(study.best_svg, draw_design(best.design, title=f"{best.strategy}, seed {best.seed}"))
    write_report(records, info, study.report)
