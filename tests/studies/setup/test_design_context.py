"""A design's file says where it was found: `retrain` goes by it, and refuses what contradicts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.cli import main
from nas_fusion.design_file import read_design
from nas_fusion.errors import DesignError
from nas_fusion.records import CellRecord

pytestmark = pytest.mark.slow

LOG = ("--data", "synthetic:1000")
MADE = (
    "--space", "dcnv2", "--levels", "1", "--emb-dim", "3", "--batch-norm", "--lr", "0.02", "--retrain-lr", "0.03",
    "--epochs", "2", "--device", "cpu",
)  # fmt: skip
SEARCHED = (*LOG, *MADE, "--budget", "0.5x", "--candidates", "2")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison in a space whose blocks are not the usual ones."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASFUSION_CACHE", str(tmp_path_factory.getbasetemp() / "context-cache"))
        only = ("--seeds", "7,", "--no-anytime-test", "--no-importance", "--study", str(folder / "s"))
        assert code_of("compare", "--strategies", "random,optfusion-soft,optfusion,fnn", *SEARCHED, *only) == 0
    return folder / "s"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path_factory.getbasetemp() / "context-cache"))
    monkeypatch.chdir(tmp_path)


def code_of(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code or 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert code_of(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    return error


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    assert code_of(*arguments) == 0
    found = capsys.readouterr()
    return found.out, " ".join(found.err.split())


@pytest.mark.parametrize("strategy", ["random", "stacked", "fnn", "optfusion"])
def test_retrain_repeats_a_cell_from_the_file_of_its_design(
    strategy: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = study / "cells" / f"{strategy}-7"
    record = CellRecord.from_json((cell / "cell.json").read_text("utf-8"))
    out, err = printed(capsys, "retrain", str(cell / "design.json"), "--device", "cpu")
    expected = f"validation AUC {record.valid_auc:.4f}"
    assert expected in out
    assert f"test AUC {record.test_auc:.4f}, test logloss {record.test_logloss:.4f}" in out
    assert f"{record.parameters:,} parameters" in out
    assert not err


def test_the_best_design_has_its_context(study: Path) -> None:
    found, context = read_design(study / "best_design.json")
    assert context is not None
    cell, theirs = read_design(study / "cells" / f"{context.strategy}-{context.seed}" / "design.json")
    assert (found, context) == (cell, theirs)
    assert context.model["space"] == "dcnv2"
    assert context.model["emb_dim"] == 3
    assert context.recipe["retrain_learning_rate"] == 0.03
    assert (context.data["source"], context.data["fields"]) == ("synthetic:1000", 10)


def test_it_has_the_operations_of_the_strategys_own_space(study: Path) -> None:
    found = {}
    for strategy in ("random", "optfusion"):
        _, context = read_design(study / "cells" / f"{strategy}-7" / "design.json")
        assert context is not None
        found[strategy] = context.model["operations"]
        manifest = json.loads((study / "cells" / f"{strategy}-7" / "model" / "model.json").read_text("utf-8"))
        assert manifest["space"]["operations"] == found[strategy]
    assert found == {"random": "auto", "optfusion": "add,residual-product,concat,attention"}


def test_search_writes_it_too(study: Path) -> None:
    assert code_of("search", "--strategy", "random", *SEARCHED, "--seed", "7", "--out", "found.json") == 0
    assert read_design("found.json") == read_design(study / "cells" / "random-7" / "design.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--space", "dcn"), "model.space: 'dcnv2' in the file, 'dcn' asked for"),
        (("--operations", "add"), "model.operations: 'auto' in the file, 'add' asked for"),
        (("--emb-dim", "4"), "model.emb_dim: 3 in the file, 4 asked for"),
        (("--no-batch-norm",), "model.batch_norm: True in the file, False asked for"),
        (("--lr", "0.5"), "recipe.learning_rate: 0.02 in the file, 0.5 asked for"),
        (("--preset", "ml100k"), "model.emb_dim: 3 in the file, 10 asked for"),
    ],
)
def test_a_contradiction_is_refused_with_both_values(
    options: tuple[str, ...], message: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, "retrain", str(study / "cells" / "random-7" / "design.json"), *LOG, *options)
    assert "design.json" in error
    assert message in error
    assert "--override" in error


def test_override_lets_the_command_win(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(study / "cells" / "random-7" / "design.json")
    wide, _ = printed(capsys, "retrain", path, "--emb-dim", "4", "--override")
    same, _ = printed(capsys, "retrain", path, "--emb-dim", "3", "--space", "dcnv2", "--epochs", "2", "--seed", "1")
    assert wide.split(" parameters")[0] != same.split(" parameters")[0]


def write_log(path: str, fields: int, prefix: str = "field") -> None:
    rows = [",".join([*(str((i * (j + 2)) % 5) for j in range(fields)), str(i % 3 % 2)]) for i in range(300)]
    Path(path).write_text(",".join([*(f"{prefix}{j + 1}" for j in range(fields)), "click"]) + "\n" + "\n".join(rows))


def test_a_log_with_another_number_of_fields_is_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log("log.csv", 3)
    path = str(study / "cells" / "random-7" / "design.json")
    assert "fields: 10 in the file, 3 here" in refused(capsys, "retrain", path, "--data", "log.csv")
    _, err = printed(capsys, "retrain", path, "--data", "log.csv", "--override")
    assert "fields: 10 in the file, 3 here" in err


def test_other_names_of_fields_are_warned_of(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log("log.csv", 10, "column")
    _, err = printed(capsys, "retrain", str(study / "cells" / "random-7" / "design.json"), "--data", "log.csv")
    assert "fields have other names or kinds" in err


def test_a_soft_design_is_not_silently_trained_hard(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = printed(capsys, "retrain", str(study / "cells" / "optfusion-soft-7" / "design.json"))
    assert "optfusion-soft" in err
    assert "trained hard, from scratch" in err


def changed(study: Path, change: Callable[[dict[str, Any]], Any]) -> str:
    content = json.loads((study / "cells" / "random-7" / "design.json").read_text("utf-8"))
    change(content)
    del content["sha256"]  # as whoever changes a design on purpose is told to
    Path("mine.json").write_text(json.dumps(content))
    return "mine.json"


def test_a_plain_design_is_trained_as_the_options_say(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(study, lambda content: content.pop("context"))
    _, err = printed(capsys, "retrain", path, *LOG, "--epochs", "1")
    assert "mine.json says nothing of where it was found: assuming space dcn, embedding width 4" in err


def test_a_plain_design_may_merge_by_any_known_operation(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def residual(content: dict[str, Any]) -> None:
        del content["context"]
        content["operations"] = dict.fromkeys(content["operations"], "residual-product")

    out, _ = printed(capsys, "retrain", changed(study, residual), *LOG, "--epochs", "1")
    assert "validation AUC" in out


def test_a_changed_digit_of_a_design_is_noticed(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (study / "cells" / "random-7" / "design.json").read_text("utf-8")
    Path("mine.json").write_text(text.replace('"seed": 7', '"seed": 8'))
    error = refused(capsys, "retrain", "mine.json")
    assert "mine.json: damaged: its checksum does not fit" in error
    assert "whoever changed it on purpose removes the line 'sha256'" in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(context=[]), "context must be an object, got list"),
        (lambda c: c["context"].pop("mode"), "context.mode must be a text, got nothing"),
        (lambda c: c["context"].update(seed="x"), "context.seed must be an integer, got 'x'"),
        (lambda c: c["context"].update(format=9), "context.format must be 1, got 9"),
        (lambda c: c["context"].update(sede=1), "context: unknown key 'sede': did you mean 'seed'"),
        (lambda c: c["context"]["model"].update(spce="dcn"), "context: unknown setting 'model.spce': did you mean"),
        (lambda c: c["context"]["model"].update(emb_dim="wide"), "emb_dim must be"),
        (lambda c: c["context"]["model"].update(levels=2), "context.model.levels is 2, but the design has 1"),
        (lambda c: c["context"]["model"].pop("space"), "context.model.space is missing"),
        (lambda c: c["context"]["recipe"].update(learning_rate=-1), "learning_rate must be"),
        (lambda c: c["context"]["data"].update(fields="10"), "context.data must have fields (an integer)"),
        (lambda c: c["context"]["data"].pop("source"), "context.data must have a source"),
        (lambda c: c["context"]["data"].update(rows=3), "context.data: unknown key 'rows'"),
        (lambda c: c["context"]["data"]["options"].update(split="8:1:1"), "split must be"),
        (lambda c: c.pop("operations"), "not a fusion design in JSON"),
    ],
)
def test_a_damaged_context_is_named(
    change: Callable[[dict[str, Any]], Any], message: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, "retrain", changed(study, change))
    assert "mine.json" in error
    assert message in error


def test_a_file_that_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.json").write_bytes(b"\xff\xfe{}")
    assert "mine.json: damaged: not UTF-8" in refused(capsys, "retrain", "mine.json")
    with pytest.raises(DesignError, match=r"no\.json: no such file"):
        read_design("no.json")
