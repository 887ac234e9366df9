"""A cell that fails fails alone, and nothing that is finished is missing."""

from __future__ import annotations

import errno
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_fusion.cli import main
from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.errors import NothingFinishedError, StrategyError, StudyError, UnknownNameError, WriteError
from nas_fusion.optfusion import OptFusion
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.studies import (
    Assembly,
    Comparison,
    ComparisonSettings,
    Part,
    StudyFolder,
    compare,
    compare_suite,
    rewrite_reports,
    rewrite_suite,
    run_cell,
    tune,
)
from nas_fusion.studies.cells.failures import Failure
from nas_fusion.studies.cells.written_cells import WrittenCells
from nas_fusion.studies.comparing import offer
from nas_fusion.studies.finished_cells import FinishedCells
from nas_fusion.studies.queue.cell_book import CellBook, Claim
from nas_fusion.system.files import write_text
from tests.fixtures import bad_strategies as bad
from tests.studies.test_compare import SETTINGS

pytestmark = pytest.mark.slow

RUN_CELL = "nas_fusion.studies.queue.cell_loop.run_cell"
SMALL = replace(SETTINGS, strategies=("stacked", "parallel"), seeds=(0,), importance=False, anytime_test=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:2000", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs entries as a plugin would, for one test."""
    STRATEGIES.names()
    monkeypatch.setattr(STRATEGIES, "_entries", dict(STRATEGIES))

    def install(*entries: StrategyEntry) -> ComparisonSettings:
        for entry in entries:
            STRATEGIES.register(entry.name, entry)
        return replace(SMALL, strategies=("stacked", *(entry.name for entry in entries)))

    return install


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the report is not what a test is about, nothing is drawn on it."""
    for place in ("studies.comparing", "report.pages.html_page"):
        monkeypatch.setattr(f"nas_fusion.{place}.comparison_figures", lambda model: {})


# Nothing finished is missing --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(dataset: EncodedDataset, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(SMALL, dataset, tmp_path_factory.mktemp("finished") / "study")


@pytest.mark.usefixtures("undrawn")
def test_a_worker_that_finishes_between_the_last_collection_and_the_last_look_loses_nothing(
    finished: Comparison, dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator computes one cell, a worker has the other and ends at the worst moment."""
    claim, collect, theirs = CellBook.claim, FinishedCells.collect, list[Claim]()
    by_cell = {(r.strategy, r.seed): r for r in finished.records}

    def a_worker_is_first(book: CellBook) -> Claim | None:
        if not theirs:
            first = claim(book)
            assert first is not None
            theirs.append(first)
        return claim(book)

    def collect_and_then_it_ends(table: FinishedCells) -> None:
        had_mine = len(table.records) == 1
        collect(table)
        if had_mine and len(table.records) == 1:
            cell = theirs[0].cell
            folder = finished.folder.cell(cell.strategy, cell.seed)
            table.book.finish(theirs[0], by_cell[cell.strategy, cell.seed], folder, remote=True)

    monkeypatch.setattr(CellBook, "claim", a_worker_is_first)
    monkeypatch.setattr(FinishedCells, "collect", collect_and_then_it_ends)
    result = compare(SMALL, dataset, tmp_path / "study")
    assert [(r.strategy, r.seed) for r in result.records] == list(by_cell)
    assert result.failures == ()


@pytest.mark.usefixtures("undrawn")
def test_a_finished_cell_whose_result_is_gone_is_named(
    finished: Comparison, dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever computed it wrote it where this process does not see it, and not into the storage."""
    load = WrittenCells.load

    def load_others(cells: WrittenCells, strategy: str, seed: int) -> CellRecord | None:
        return None if strategy == "parallel" else load(cells, strategy, seed)

    monkeypatch.setattr(WrittenCells, "load", load_others)
    result = compare(SMALL, dataset, tmp_path / "study")
    assert [r.strategy for r in result.records] == ["stacked"]
    (missing,) = result.failures
    assert (missing.strategy, missing.seed) == ("parallel", 0)
    assert "cell.json is gone" in missing.reason


def test_a_report_names_a_finished_cell_whose_file_is_gone(
    finished: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = StudyFolder(shutil.copytree(finished.folder.path, tmp_path / "study"))
    assert run("report", str(study.path)) == 0
    shutil.rmtree(study.cell("parallel", 0))
    for _ in range(2):  # a report that was written without it does not forget it
        info = rewrite_reports(study).info
        assert [failed.words for failed in info.failures] == [
            "parallel, seed 0: it was finished, but its cell.json is gone"
        ]
    capsys.readouterr()
    assert run("report", str(study.path)) == 3
    assert "parallel, seed 0: it was finished" in capsys.readouterr().out


def test_a_report_of_a_comparison_that_runs_says_what_is_to_come(
    finished: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = StudyFolder(shutil.copytree(finished.folder.path, tmp_path / "study"))
    write_text(study.comparison, replace(finished.info, ended=False).to_json())
    shutil.rmtree(study.cell("parallel", 0))
    assert run("report", str(study.path)) == 0
    assert "1 without a result yet: parallel seed 0" in capsys.readouterr().out


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


# A failing cell fails alone ---------------------------------------------------------------------------------------


REASONS = {
    entry.name: reason
    for entry, reason in [
        (bad.RAISES, "RuntimeError: a plugin's own fault"),
        (bad.RAISES_IN_BUILD, "KeyError: 'no such setting'"),
        (bad.ILLEGAL, "SampleValidationError: the output has no open input"),
        (bad.FOREIGN, "SampleMissingError: Label cross0/embedding is missing from sample"),
        (bad.IDLE, "none of 0 candidates could be trained"),
        (bad.UNDERIVED, "it derived no design"),
        (bad.LEAVES, "it called sys.exit(0)"),
        (bad.NO_STRATEGY, "its build must return an NNI strategy, got NoneType"),
        (bad.NO_DESIGN, "its build must return a FusionDesign, got dict"),
    ]
}
BAD = [entry for entry in vars(bad).values() if isinstance(entry, StrategyEntry) and entry.name in REASONS]


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the comparison of bad strategies has logged."""
    return []


@pytest.fixture(scope="module")
def many_failed(dataset: EncodedDataset, told: list[str], tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """One good strategy behind every bad one."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    handler = Handler()
    STRATEGIES.names()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(STRATEGIES, "_entries", dict(STRATEGIES))
        for entry in BAD:
            STRATEGIES.register(entry.name, entry)
        patch.setattr(logging.getLogger("nas_fusion"), "handlers", [handler])
        settings = replace(SMALL, strategies=(*REASONS, "stacked"))
        return compare(settings, dataset, tmp_path_factory.mktemp("bad") / "study")


@pytest.mark.parametrize("name", REASONS)
def test_it_fails_alone(name: str, many_failed: Comparison, told: list[str]) -> None:
    result = many_failed
    assert [r.strategy for r in result.records] == ["stacked"]
    assert [(failed.strategy, failed.seed) for failed in result.failures] == [(bad_one, 0) for bad_one in REASONS]
    failed = next(failed for failed in result.failures if failed.strategy == name)
    assert REASONS[name] in failed.reason
    log = f"failures/{name}-0.log"
    assert log in failed.reason
    assert "Traceback" in (result.folder.path / log).read_text()
    assert f"{name}, seed 0 failed: {failed.reason}" in told
    written = ComparisonInfo.from_json(result.folder.comparison.read_text())
    assert written.failures == result.failures
    assert result.folder.report.is_file()


@pytest.mark.usefixtures("undrawn")
def test_both_cells_of_a_shared_search_that_fails_name_it(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(strategy: OptFusion) -> None:
        raise RuntimeError("no supernet today")

    monkeypatch.setattr(OptFusion, "_run", raises)
    settings = replace(SMALL, strategies=("optfusion-hard", "optfusion-soft", "stacked"))
    result = compare(settings, dataset, tmp_path / "study")
    assert [r.strategy for r in result.records] == ["stacked"]
    assert [failed.words for failed in result.failures] == [
        f"{name}, seed 0: RuntimeError: no supernet today (failures/{name}-0.log)"
        for name in ("optfusion-hard", "optfusion-soft")
    ]


@pytest.mark.parametrize("reference", ["raises", "stacked"])
def test_the_reference_itself_may_fail(reference: str, dataset: EncodedDataset, installed: Any, tmp_path: Path) -> None:
    settings = replace(installed(bad.RAISES, bad.IDLE), seeds=(0, 1))
    result = compare(settings, dataset, tmp_path / "study", reference=reference, latex=tmp_path / "table.tex")
    assert len(result.failures) == 4
    assert rewrite_reports(result.folder).info.failures == result.failures


def test_search_says_in_one_line_what_a_strategy_raised(
    installed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(bad.RAISES)
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "design.json"
    options = ["--data", "synthetic:2000", "--levels", "1", "--emb-dim", "2", "--out", str(out)]
    assert run("search", "--strategy", "raises", *options) == 2
    assert capsys.readouterr().err == "nasfusion: error: raises: RuntimeError: a plugin's own fault\n"
    assert not out.exists()


def test_a_comparison_without_any_cell_says_why(dataset: EncodedDataset, installed: Any, tmp_path: Path) -> None:
    settings = replace(installed(bad.RAISES), strategies=("raises",))
    with pytest.raises(NothingFinishedError, match=r"raises, seed 0: RuntimeError: a plugin's own fault"):
        compare(settings, dataset, tmp_path / "study")
    study = StudyFolder(tmp_path / "study")
    written = {path: path.read_bytes() for path in (study.report, study.report_markdown, study.results, study.summary)}
    for path in written:
        path.unlink()
    report = rewrite_reports(study)
    assert [failed.strategy for failed in report.info.failures] == ["raises"]
    assert {path: path.read_bytes() for path in written} == written
    assert "No cell is finished, so there is no verdict. 1 cell failed." in study.report_markdown.read_text("utf-8")
    assert rewrite_reports(study, reference="raises").decision.standings is None
    with pytest.raises(UnknownNameError, match="raises"):
        rewrite_reports(study, reference="rises")


@pytest.mark.usefixtures("undrawn")
def test_an_ended_comparison_whose_files_are_gone_has_no_report(
    dataset: EncodedDataset, installed: Any, tmp_path: Path
) -> None:
    study = compare(replace(installed(bad.RAISES), strategies=("stacked",)), dataset, tmp_path / "study").folder
    shutil.rmtree(study.cell("stacked", 0))
    with pytest.raises(StudyError, match=r"no cell of .* has a result, and the comparison has ended"):
        rewrite_reports(study)


@pytest.mark.usefixtures("undrawn")
def test_a_data_set_without_any_result_does_not_stop_the_others(
    dataset: EncodedDataset, installed: Any, tmp_path: Path
) -> None:
    settings = installed(bad.RAISES)
    nothing = Part("nothing", replace(settings, strategies=("raises",)), dataset)
    suite = compare_suite([nothing, Part("some", settings, dataset)], tmp_path / "suite")
    assert [c.folder.path.name for c in suite.comparisons] == ["some"]
    assert [f.strategy for f in suite.comparisons[0].failures] == ["raises"]
    ((name, reason),) = suite.failures
    assert name == "nothing"
    assert "raises, seed 0: RuntimeError" in reason
    assert rewrite_suite(tmp_path / "suite").failures[0][0] == "nothing"
    with pytest.raises(StudyError, match=r"nothing: no cell could be run: raises, seed 0: RuntimeError"):
        compare_suite([nothing], tmp_path / "another")


def test_the_command_line_names_it_and_ends_with_3(
    installed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(bad.RAISES)
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    study = tmp_path / "study"
    small = ["--levels", "1", "--emb-dim", "2", "--epochs", "1", "--candidates", "2", "--no-importance"]
    options = ["--data", "synthetic:2000", "--seeds", "0,", *small]
    assert run("compare", "--strategies", "raises", "--study", str(study), *options) == 3
    printed = capsys.readouterr()
    words = "raises, seed 0: RuntimeError: a plugin's own fault (failures/raises-0.log)"
    assert f"1 without a result; the same command tries again:\n  {words}\n" in printed.out
    assert "Traceback" not in printed.out + printed.err
    assert (study / "report.html").is_file()


@pytest.mark.usefixtures("undrawn")
def test_a_device_that_is_lost_costs_one_cell_and_the_run(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever follows in this process would fail, too; the next start does not begin with the same cell."""
    calls = list[str]()

    def first_loses_it(assembly: Assembly, folder: StudyFolder, strategy: str, *rest: Any) -> CellRecord:
        calls.append(strategy)
        if len(calls) == 1:
            raise StrategyError("stacked", "it failed") from torch.AcceleratorError("CUDA error: an illegal access")
        return run_cell(assembly, folder, strategy, *rest)

    monkeypatch.setattr(RUN_CELL, first_loses_it)
    with pytest.raises(
        StudyError, match=r"stacked, seed 0: failed: it failed .* this process cannot use the device any more"
    ):
        compare(SMALL, dataset, tmp_path / "study")
    assert calls == ["stacked"]
    result = compare(SMALL, dataset, tmp_path / "study")
    assert calls == ["stacked", "parallel", "stacked"]
    assert result.failures == ()


@pytest.mark.usefixtures("undrawn")
def test_a_failure_in_another_process_is_told_here(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claim, theirs = CellBook.claim, list[Claim]()

    def a_worker_fails_the_first(book: CellBook) -> Claim | None:
        if not theirs:
            first = claim(book)
            assert first is not None
            theirs.append(first)
            book.fail(first, Failure("RuntimeError: there", "Traceback: on another machine"))
        return claim(book)

    monkeypatch.setattr(CellBook, "claim", a_worker_fails_the_first)
    result = compare(SMALL, dataset, tmp_path / "study")
    assert [failed.words for failed in result.failures] == [
        "stacked, seed 0: RuntimeError: there (failures/stacked-0.log)"
    ]
    assert result.folder.failure("stacked-0").read_text() == "Traceback: on another machine"
    assert "stacked, seed 0 failed: RuntimeError: there (failures/stacked-0.log)" in caplog.messages


def test_a_worker_goes_on_behind_a_failed_cell_and_says_so(
    installed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    url = f"journal:///{tmp_path}/journal"
    settings = replace(installed(bad.RAISES), strategies=("raises", "stacked"), source="synthetic:2000")
    offer(settings, prepare("synthetic:2000"), tmp_path / "study", url, "study")
    assert run("worker", "--storage", url, "--study", "study", "--folder", str(tmp_path / "worker")) == 3
    printed = capsys.readouterr().out
    assert "raises, seed 0: failed: RuntimeError: a plugin's own fault (failures/raises-0.log)" in printed
    assert "stacked, seed 0: valid" in printed
    assert "1 without a result:\n  raises, seed 0: RuntimeError" in printed
    assert (tmp_path / "worker" / "failures" / "raises-0.log").is_file()


@pytest.mark.usefixtures("undrawn")
def test_a_strategy_that_cannot_be_tuned_fails_alone(
    dataset: EncodedDataset, installed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(installed(bad.RAISES), tune=1)
    result = compare(settings, dataset, tmp_path / "study")
    assert [r.strategy for r in result.records] == ["stacked"]
    (failed,) = result.failures
    words = "none of the 1 tuning trials could be trained; the last one: RuntimeError: a plugin's own fault"
    assert failed.reason.startswith(words)
    assert "Traceback" in result.folder.failure("raises-tuning-0").read_text()
    monkeypatch.setattr(bad.Raises, "_run", lambda self: self.submit(self.draw()))  # its author has mended it
    again = compare(settings, dataset, tmp_path / "study")
    assert again.failures == ()
    assert again.records[1].details["tuning"]["trials"] == 1


def test_a_tuning_alone_names_the_plugins_own_words(dataset: EncodedDataset, installed: Any, tmp_path: Path) -> None:
    settings = replace(installed(bad.RAISES), strategies=("raises",), tune=1)
    told: list[str] = []
    with pytest.raises(StudyError, match=r"none of the 1 trials .* RuntimeError: a plugin's own fault"):
        tune(settings, dataset, tmp_path / "study", listener=lambda strategy, done, total, words: told.append(words))
    assert told == ["failed: RuntimeError: a plugin's own fault (failures/raises-tuning-0.log)"]


@pytest.mark.usefixtures("undrawn")
def test_the_next_start_tries_again(
    dataset: EncodedDataset, installed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = installed(bad.RAISES)
    before = compare(settings, dataset, tmp_path / "study")
    assert before.failures
    monkeypatch.setattr(bad.Raises, "_run", lambda self: self.submit(self.draw()))  # its author has mended it
    after = compare(settings, dataset, tmp_path / "study")
    assert [r.strategy for r in after.records] == ["stacked", "raises"]
    assert after.failures == ()
    assert after.records[0] == before.records[0]
    assert not after.folder.failure("raises-0").exists()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(143),
        WriteError("file", "full"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_the_cells_fault_stops_the_run_and_can_go_on(
    error: BaseException, dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[str]()

    def first_fails(assembly: Assembly, folder: StudyFolder, strategy: str, *rest: Any) -> CellRecord:
        calls.append(strategy)
        if len(calls) == 1:
            raise error
        return run_cell(assembly, folder, strategy, *rest)

    monkeypatch.setattr(RUN_CELL, first_fails)
    with pytest.raises((type(error), StudyError)):
        compare(SMALL, dataset, tmp_path / "study")
    assert len(calls) == 1
    result = compare(SMALL, dataset, tmp_path / "study")
    assert [r.strategy for r in result.records] == ["stacked", "parallel"]
    assert not (tmp_path / "study" / "failures").exists()
