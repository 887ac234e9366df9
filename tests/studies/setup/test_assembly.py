"""One assembly of a task: the same settings mean the same in `search`, `compare` and `retrain`."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_fusion.architecture import Found, found_from_json
from nas_fusion.cli import main

pytestmark = pytest.mark.slow

COMMON = (
    "--data", "synthetic:1000", "--levels", "1", "--emb-dim", "2", "--budget", "1x", "--candidates", "4",
    "--lr", "0.01", "--device", "cpu",
)  # fmt: skip
RECIPE = ("--epochs", "2", "--patience", "1", "--lr-drop", "0.5")
FEW = ("--max-multiply-adds", "1800")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path_factory.getbasetemp() / "assembly-cache"))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert not stopped.value.code


def read(path: str) -> Found:
    return found_from_json(Path(path).read_text("utf-8"))


@pytest.mark.parametrize(
    ("strategy", "more"),
    [
        ("parallel", ("--max-multiply-adds", "10")),  # no design keeps it: a reference need not
        ("tpe", ("--product", "open", "--set", "tpe.startup_share=0.5")),
        ("evolution", ("--concurrency", "2")),
        ("optfusion-soft", FEW),
        ("optfusion-refined", (*RECIPE, "--set", "optfusion-refined.candidates=2")),
    ],
)  # fmt: skip
def test_search_and_compare_find_the_same_design(strategy: str, more: tuple[str, ...]) -> None:
    run("search", "--strategy", strategy, *COMMON, *more, "--seed", "1", "--out", "found.json")
    only = ("--no-importance", "--no-anytime-test", *(("--epochs", "1") if "--epochs" not in more else ()))
    run("compare", "--strategies", strategy, *COMMON, *more, *only, "--seeds", "1,", "--study", "study")
    assert read("found.json") == read(f"study/cells/{strategy}-1/design.json")


def test_a_preset_sets_the_same_for_both() -> None:
    Path("mine.toml").write_text(
        "concurrency = 4\nanytime_test = false\nimportance = false\n[recipe]\nretrain_epochs = 1\n"
    )
    given = (*COMMON, "--preset", "mine.toml", "--candidates", "6", "--set", "evolution.population=2")
    run("search", "--strategy", "evolution", *given, "--out", "found.json")
    run("compare", "--strategies", "evolution", *given, "--seeds", "1", "--study", "s")
    assert read("found.json") == read("s/cells/evolution-0/design.json")
