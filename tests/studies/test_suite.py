"""Several data sets: a study each, one after the other, resumable as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from nas_fusion.cli import main
from nas_fusion.data import DataOptions, prepare
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.studies import (
    ComparisonSettings,
    ModelSettings,
    Part,
    RecipeSettings,
    Suite,
    compare,
    compare_suite,
    part_names,
    rewrite_suite,
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("brief_look_ahead")]

SETTINGS = ComparisonSettings(
    source="synthetic:1000",
    data=DataOptions(),
    strategies=("random", "stacked"),
    seeds=(0,),
    budget="1x",
    candidates=1,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
    device="cpu",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def parts(cache: Path) -> list[Part]:
    logs = ("synthetic:1000", "synthetic:1000:1")
    return [
        Part(name, replace(SETTINGS, source=log), prepare(log, cache=cache))
        for name, log in zip(("first", "second"), logs, strict=True)
    ]


@pytest.fixture(scope="module")
def begun() -> list[tuple[str, Path]]:
    """What a finished suite has told while it ran."""
    return []


@pytest.fixture(scope="module")
def finished(parts: list[Part], begun: list[tuple[str, Path]], tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder = tmp_path_factory.mktemp("finished") / "suite"
    return compare_suite(parts, folder, part_listener=lambda p, place: begun.append((p.name, place)))


@pytest.fixture
def again(finished: Suite, tmp_path: Path) -> Path:
    """A finished suite's folder, to be changed."""
    return Path(shutil.copytree(finished.folder, tmp_path / "suite"))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pages are not what a test is about, nothing is drawn on them."""
    for place in ("studies.comparing", "report.pages.html_page"):
        monkeypatch.setattr(f"nas_fusion.{place}.comparison_figures", lambda model: {})


def stop_at(name: str) -> Callable[[Part, Path], None]:
    """Ends a suite before the comparison of a part."""

    def stop(part: Part, folder: Path) -> None:
        if part.name == name:
            raise KeyboardInterrupt

    return stop


def test_every_data_set_has_the_study_that_it_has_alone(
    parts: list[Part], finished: Suite, begun: list[tuple[str, Path]], tmp_path: Path
) -> None:
    suite = finished
    assert begun == [(name, suite.folder / name) for name in ("first", "second")]
    assert [report.info.data for report in suite.reports] == ["synthetic:1000", "synthetic:1000:1"]
    for part, report in zip(parts, suite.reports, strict=True):
        alone = compare(part.settings, part.dataset, tmp_path / "alone" / part.name)
        assert [r.test_auc for r in report.records] == [r.test_auc for r in alone.records]
        frame = pd.read_csv(suite.folder / part.name / "results.csv")
        assert list(frame["strategy"]) == ["random", "stacked"]


@pytest.mark.usefixtures("undrawn")
def test_a_suite_goes_on_where_it_stopped(parts: list[Part], tmp_path: Path) -> None:
    begun: list[str] = []

    def listen(part: Part, folder: Path) -> None:
        begun.append(part.name)
        stop_at("second")(part, folder)

    with pytest.raises(KeyboardInterrupt):
        compare_suite(parts, tmp_path / "suite", part_listener=listen)
    assert begun == ["first", "second"]
    cell = tmp_path / "suite" / "first" / "cells" / "random-0" / "cell.json"
    before = cell.stat().st_mtime_ns
    suite = compare_suite(parts, tmp_path / "suite")
    assert cell.stat().st_mtime_ns == before
    assert [len(report.records) for report in suite.reports] == [2, 2]


@pytest.mark.usefixtures("undrawn")
def test_a_worker_helps_with_every_data_set(
    parts: list[Part], finished: Suite, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(cache))
    storage = f"sqlite:///{tmp_path}/shared.db"
    with pytest.raises(KeyboardInterrupt):
        compare_suite(parts, tmp_path / "suite", storage=storage, part_listener=stop_at("first"))
    given = ["worker", "--storage", storage, "--study", "suite", "--folder", str(tmp_path / "worker")]
    with pytest.raises(SystemExit) as refused:
        main([*given, "--data", "synthetic:1000"])
    assert refused.value.code == 2
    with pytest.raises(SystemExit) as stopped:
        main(given)
    assert not stopped.value.code
    cells = {str(path.parent.relative_to(tmp_path)) for path in (tmp_path / "worker").glob("*/cells/*/cell.json")}
    assert cells == {f"worker/{p.name}/cells/{s}-0" for p in parts for s in SETTINGS.strategies}
    suite = compare_suite(parts, tmp_path / "suite", storage=storage)
    assert [[r.test_auc for r in report.records] for report in suite.reports] == [
        [r.test_auc for r in report.records] for report in finished.reports
    ]
    names = [s.study_name for s in optuna.get_all_study_summaries(storage)]
    assert sorted(names) == ["suite/first", "suite/second"], "a shared storage has a study per data set"


def test_what_is_no_suite_is_refused(parts: list[Part], finished: Suite, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds the study of a single log"):
        compare_suite(parts, finished.folder / "first")
    with pytest.raises(OptionError, match="different names"):
        compare_suite([parts[0], parts[0]], tmp_path / "suite")
    with pytest.raises(OptionError, match="at least one"):
        compare_suite([], tmp_path / "suite")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OptionError, match="study must be a folder"):
        compare_suite(parts, tmp_path / "file")


@pytest.mark.usefixtures("undrawn")
def test_the_report_over_all_data_sets_gets_every_result(
    parts: list[Part], again: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []
    monkeypatch.setattr("nas_fusion.studies.suites.write_suite_report", lambda *given: got.append(given))
    suite = compare_suite(parts, again)
    assert [len(report.records) for report in suite.reports] == [2, 2]
    assert got == [(suite.reports, again / "report.html")]
    assert suite.written == (again / "report.html", again / "report.md")


def test_a_suite_is_reported_while_it_runs(
    parts: list[Part], again: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, running = again, shutil.copytree(again, tmp_path / "running")
    for path in (running / "report.html", running / "report.md"):
        path.unlink()
    shutil.rmtree(running / "second")
    with pytest.raises(KeyboardInterrupt):  # it goes on with a first part that is finished
        compare_suite(parts, running, part_listener=stop_at("second"))
    assert [c.folder.path.name for c in rewrite_suite(running).comparisons] == ["first"]
    written = [*(folder / name for name in ("report.html", "report.md")), folder / "second" / "results.csv"]
    for path in written:
        path.unlink()
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(folder), "--reference", "stacked", "--latex", str(tmp_path / "table.tex")])
    assert not stopped.value.code
    assert all(path.is_file() for path in [*written, tmp_path / "table.tex"])
    told = capsys.readouterr().out
    assert told.index("first") < told.index("second") < told.index("table.tex")
    assert "against" in told


def test_a_suite_that_cannot_be_reported(parts: list[Part], tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    with pytest.raises(StudyError, match=r"suite\.json: the file is missing"):
        rewrite_suite(folder)
    folder.mkdir()
    (folder / "suite.json").write_text('{"format": 1, "parts": ["first"]}')
    with pytest.raises(StudyError, match=r"no cell of .* is finished yet"):
        rewrite_suite(folder)
    (folder / "suite.json").write_text('{"format": 1, "parts": ["../first"]}')
    with pytest.raises(StudyError, match=r"not the list of .*: '\.\./first' is no name"):
        rewrite_suite(folder)
    (folder / "suite.json").write_text('{"format": 9, "parts": ["first"]}')
    with pytest.raises(StudyError, match="format 9"):
        rewrite_suite(folder)


def test_repeated_names_are_numbered() -> None:
    assert part_names(["clicks", "views", "clicks", "clicks"]) == ["clicks", "views", "clicks-2", "clicks-3"]
    assert part_names(["a", "a-2", "a"]) == ["a", "a-2", "a-3"]


def test_several_logs_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name, levels in (("one", 1), ("two", 2)):
        recipe = "[recipe]\nretrain_epochs = 1\n"
        Path(f"{name}.toml").write_text(f"[model]\nlevels = {levels}\nemb_dim = 2\n{recipe}")
    logs = ("--data", "synthetic:800", "--preset", "one.toml", "--data", "synthetic:900", "--preset", "two.toml")
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "--strategies", "stacked", "--seeds", "1", *logs])
    assert not stopped.value.code
    printed = capsys.readouterr().out
    folder = Path("nasfusion-studies/synthetic-800-synthetic-900")
    for name, levels in (("synthetic-800", 1), ("synthetic-900", 2)):
        assert f"levels = {levels}" in (folder / name / "study.toml").read_text()
        assert f"study folder: {folder / name}" in printed
    with pytest.raises(SystemExit):
        main(["ui"])
    assert f"{folder}/synthetic-800  2 finished cells" in capsys.readouterr().out
