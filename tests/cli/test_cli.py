"""The command line: help that teaches, errors in one line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas_fusion.cli import main
from nas_fusion.cli.commands.compare_command import one_for_each
from nas_fusion.cli.common_options import parse_seeds
from nas_fusion.data import prepare
from nas_fusion.errors import OptionError
from nas_fusion.studies import preset_names

COMMANDS = ("compare", "search", "retrain", "strategies", "presets", "data", "report", "version")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail: one line on standard error, exit code 2, nothing written."""
    files = sorted(Path().rglob("*"))
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("nasfusion: error: ")
    assert error.count("\n") == 1
    assert sorted(Path().rglob("*")) == files
    return error


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    text = capsys.readouterr().out
    assert "Example:" in text
    assert f"nasfusion {command}" in " ".join(text.split())


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys; from nas_fusion.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'nni', 'pandas', 'plotly', 'numpy', 'optuna', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


GOOD = "user,item,click\n" + "".join(f"{i % 7},{i % 5},{i % 3 % 2}\n" for i in range(60))


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (None, (), "no such file"),
        ("", (), "empty"),
        (GOOD, ("--label", "clik"), "columns are click"),
        (GOOD.replace("click", "bought"), (), "label"),
        (GOOD.replace("1\n", "2\n", 1), (), "line 3"),
        (GOOD + "1,2\n", (), "line 62"),
        (GOOD.replace("1\n", "0\n"), (), "all 60 labels are 0"),
        (GOOD, ("--format", "cvs"), "did you mean 'csv'"),
        (GOOD, ("--split", "8:1:1"), "--split must be random"),
        (GOOD, ("--numeric", "user"), "--numeric must be COLUMN=bucket"),
        (GOOD, ("--split-column", "part"), "part"),
    ],
)
def test_bad_logs(
    text: str | None, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        write("log.csv", text)
    for command in ("compare", "data"):
        error = failing(capsys, command, "--data", "log.csv", *arguments)
        assert message in error
        assert "log.csv" in error or arguments


def test_a_split_without_positives(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        f"{i % 7},{i % 3 % 2 if i < 40 else 0},{'train' if i < 30 else 'valid' if i < 40 else 'test'}"
        for i in range(60)
    ]
    write("log.csv", "user,click,split\n" + "\n".join(rows) + "\n")
    error = failing(capsys, "compare", "--data", "log.csv")
    assert "test" in error
    assert "positive" in error


def test_a_field_with_one_value_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    write("log.csv", GOOD.replace("user,item", "user,const").replace(",0,", ",9,"))
    lines = [f"{i % 7},9,{i % 3 % 2}" for i in range(60)]
    write("log.csv", "user,const,click\n" + "\n".join(lines) + "\n")
    assert run("data", "--data", "log.csv") == 0
    assert "const" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "--strategies", "optfusoin-hard"), "did you mean 'optfusion-hard'"),
        (("compare", "--strategies", ","), "--strategies must be"),
        (("compare", "--seeds", "x"), "--seeds must be"),
        (("compare", "--budget", "lots", "--data", "synthetic:500"), "--budget must be"),
        (("compare", "--lr", "0", "--data", "synthetic:500"), "--lr must be a number above 0"),
        (("compare", "--space", "dnc", "--data", "synthetic:500"), "did you mean 'dcn'"),
        (("compare", "--precision", "16", "--data", "synthetic:500"), "--precision must be one of"),
        (("search", "--strategy", "randm"), "did you mean 'random'"),
        (("retrain", "missing.json"), "missing.json: no such file"),
        (("compare", "--preset", "optfusion-cirteo"), "did you mean 'optfusion-criteo'"),
        (("compare", "--preset", "mine.toml"), "mine.toml: no such preset"),
        (("search", "--set", "gate_start=1"), "--set must be STRATEGY.PARAMETER=VALUE, got 'gate_start=1'"),
        (("search", "--set", "darts.arch_learning_rate=1"), "--set must be of a chosen strategy (optfusion-hard)"),
        (
            ("search", "--set", "optfusion-hard.gate=1"),
            "parameter of optfusion-hard must be one of: arch_learning_rate",
        ),
        (
            ("compare", "--data", "a", "--data", "b", "--preset", "frappe", "--preset", "ml100k", "--preset", "frappe"),
            "--preset must be given once, or once for each of the 2 logs",
        ),
    ],
)
def test_bad_options(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in failing(capsys, *arguments)


def test_a_folder_that_is_no_study(capsys: pytest.CaptureFixture[str]) -> None:
    Path("thesis").mkdir()
    write("thesis/chapter.tex", "precious")
    error = failing(capsys, "compare", "--data", "synthetic:500", "--study", "thesis")
    assert "holds no study" in error


SMALL = ("--data", "synthetic:1000", "--levels", "1", "--emb-dim", "2", "--budget", "1x", "--candidates", "2")


def test_search_then_retrain(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("search", "--strategy", "random", *SMALL, "--epochs", "1", "--out", "found.json") == 0
    assert Path("found.svg").read_text().startswith("<svg")
    assert Path("found.dot").read_text().startswith("digraph")
    assert run("retrain", "found.json", "--emb-dim", "2", "--out", "m.pt") == 0
    assert "test AUC 0." in capsys.readouterr().out
    assert Path("m.pt").stat().st_size > 0


def test_the_teacher_of_a_planted_log_is_written_and_trained(capsys: pytest.CaptureFixture[str]) -> None:
    log = ("--data", "synthetic:planted:product:rows=1000")
    assert run("data", *log, "--teacher", "teacher.json") == 0
    told = capsys.readouterr().out
    assert "output <- product(embedding, cross1, cross2, cross3)" in told
    assert "cross1 -> output closed" in told
    assert run("retrain", "teacher.json", *log, "--epochs", "1") == 0
    assert "test AUC 0." in capsys.readouterr().out


def test_compare_and_a_study_made_with_other_settings(capsys: pytest.CaptureFixture[str]) -> None:
    study = ("compare", *SMALL, "--strategies", "random", "--seeds", "1", "--epochs", "1", "--study", "s")
    assert run(*study) == 0
    assert "best found by search: random" in capsys.readouterr().out
    error = failing(capsys, *study, "--lr", "0.5")
    assert "recipe.learning_rate: 0.001 in the study, 0.5 asked for" in error


def test_a_hand_made_model_can_be_written_and_trained(capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--data", "synthetic:2000", "--emb-dim", "2")
    given = ("--set", "fnn.hidden_width=7", "--set", "fnn.hidden_layers=1")
    assert run("search", "--strategy", "fnn", "--out", "fnn.json", "--epochs", "1", *given, *common) == 0
    assert "hidden_width 7" in capsys.readouterr().out
    assert run("retrain", "fnn.json", *common) == 0
    table = sum(int(f.size) for f in prepare("synthetic:2000").schema.fields) * 2
    layer, norm, head = 20 * 7 + 7, 2 * 7, 7 + 1
    assert f"{table + layer + norm + head:,} parameters" in capsys.readouterr().out


def test_presets_are_listed_with_what_they_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("presets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == list(preset_names())
    assert "  optfusion-hard.arch_learning_rate = 0.3" in lines
    assert sum(line.startswith("  from: ") for line in lines) == len(preset_names())


def test_strategies_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("strategies") == 0
    text = capsys.readouterr().out
    for name in ("optfusion-hard", "optfusion-soft", "random", "evolution", "tpe", "darts", "gumbel-darts", "stacked"):
        assert name in text


def test_data_describes_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    write("log.csv", GOOD)
    assert run("data", "--data", "log.csv") == 0
    text = capsys.readouterr().out
    assert "60 rows" in text
    assert "user" in text


def test_seeds() -> None:
    assert parse_seeds("3") == (0, 1, 2)
    assert parse_seeds("3,5, 8") == (3, 5, 8)
    assert parse_seeds("7,") == (7,)
    with pytest.raises(OptionError, match="seeds"):
        parse_seeds("0")


def test_presets_of_several_logs() -> None:
    assert one_for_each([], 2) == [None, None]
    assert one_for_each(["a"], 3) == ["a", "a", "a"]
    assert one_for_each(["a", "b"], 2) == ["a", "b"]
    with pytest.raises(OptionError, match="once for each of the 3 logs"):
        one_for_each(["a", "b"], 3)


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from nas_fusion.data.encoding.encoded_files import ArrayWriter

    def full(self: ArrayWriter, chunk: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    monkeypatch.setattr(ArrayWriter, "append", full)
    error = failing(capsys, "compare", "--data", "synthetic:500")
    assert "No space left on device" in error
    assert list(Path(os.environ["NASFUSION_CACHE"]).rglob("*.npy")) == []


def test_a_corrupted_encoded_data_set_is_made_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "--data", "synthetic:500") == 0
    expected = capsys.readouterr().out
    array = next(Path(os.environ["NASFUSION_CACHE"]).rglob("*.npy"))
    array.write_bytes(array.read_bytes()[:-8] + b"garbage!")
    assert run("data", "--data", "synthetic:500") == 0
    again = capsys.readouterr()
    assert again.out == expected
    assert "corrupt" in again.err.lower() or "checksum" in again.err.lower()


@pytest.mark.parametrize("arguments", [("presets",), ("data", "--data", "synthetic:500"), ("strategies",)])
def test_a_process_that_knows_pydantic_reads_the_same_options(arguments: tuple[str, ...]) -> None:
    """The parser lets pydantic check values wherever anybody, a tracker for instance, has imported it."""
    pytest.importorskip("pydantic")
    assert run(*arguments) == 0
