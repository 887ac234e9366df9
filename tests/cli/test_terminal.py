"""Terminals of all kinds: other encodings, no colours, names that a terminal would obey, a reader that has gone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas_fusion.cli import main
from nas_fusion.cli.usage_errors import check_arguments, message_of, show_what_can_be_shown

COMMAND = [sys.executable, "-W", "ignore", "-m", "nas_fusion"]
COMMANDS = ("compare", "search", "retrain", "tune", "worker", "ui", "dashboard", "report", "data", "version")


ENCODINGS = ("ascii", "latin-1", "cp437", "utf-8")


def streams(monkeypatch: pytest.MonkeyPatch, encoding: str) -> tuple[io.BytesIO, io.BytesIO]:
    """What goes to standard output and to standard error, which have another encoding from now on."""
    buffers = io.BytesIO(), io.BytesIO()
    for name, buffer in zip(("stdout", "stderr"), buffers, strict=True):
        stream = io.TextIOWrapper(buffer, encoding=encoding, errors="strict", write_through=True)
        monkeypatch.setattr(sys, name, stream)
    return buffers


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_an_encoding_has_not_is_replaced_character_by_character(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = streams(monkeypatch, encoding)
    show_what_can_be_shown()
    text = "AUC .84 ± .01 → † … – ‘x’ ≥ 東 \udce9"
    sys.stdout.write(text)
    shown = out.getvalue().decode(encoding)
    assert len(shown) == len(text)
    assert shown.startswith("AUC .84 ")
    if encoding == "ascii":
        assert shown == "AUC .84 ~ .01 > + . - 'x' > ? ?"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_any_encoding_at_80_columns(command: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out, _ = streams(monkeypatch, encoding)
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    lines = out.getvalue().decode(encoding).splitlines()
    assert any("Example:" in line for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_error_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, stderr = streams(monkeypatch, encoding)
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--levels", "東\x1b[31m"])
    assert ended.value.code == 2
    error = stderr.getvalue()
    assert error.count(b"\n") == 1
    assert b"\x1b" not in error
    assert b"--levels must be an integer from 1 to 32" in error


def test_names_that_look_like_markup_or_that_a_terminal_obeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    column = "pr\x1b]0;gone\x07ice"
    rows = "".join(f"{i % 7},3,{i % 3 % 2}\n" for i in range(60))
    Path("[red]\x1b[2J.csv").write_text(f"user[/b],{column},click\n{rows}", "utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["data", "--data", "[red]\x1b[2J.csv"])
    out, error = capsys.readouterr()
    assert ended.value.code == 0, error
    assert "user[/b]" in out
    assert "[red]" in out
    assert r"pr\x1b]0;gone\x07ice" in error  # its values are all the same: a warning
    assert "\x1b" not in out + error
    assert "\x07" not in out + error


def test_a_message_about_a_cell_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    cell = "x y" * 5_000
    for name, text in {
        "label.csv": f"user,click\n1,{cell}\n2,0\n",
        "number.csv": f"user,price,click\n1,{cell},1\n2,3,0\n",
        "header.csv": f"{cell},click\n1,0\n2,1\n",
        "twice.csv": f"{cell},{cell}\n1,0\n2,1\n",
        "split.csv": f"user,part,click\n1,{cell},1\n2,3,0\n",
    }.items():
        Path(name).write_text(text, "utf-8")
        more = {"number": ["--numeric", "price=scale"], "split": ["--split-column", "part"], "header": ["--label", "x"]}
        with pytest.raises(SystemExit) as ended:
            main(["data", "--data", name, *more.get(name.removesuffix(".csv"), [])])
        error = capsys.readouterr().err
        assert ended.value.code == 2
        assert error.count("\n") == 1
        assert name in error
        assert len(error) < 500


def test_arguments_that_are_no_text() -> None:
    check_arguments(["compare", "--label", "größe"])
    commands = {"compare": {"levels": "--levels"}}
    for argument in ("caf\udce9", "a\0b"):
        with pytest.raises(Exception, match="argument") as caught:
            check_arguments(["compare", argument])
        line = message_of(caught.value, ["compare", argument], commands)
        assert line.isprintable()
        assert line.endswith("; see nasfusion compare --help")


def run(*arguments: str | bytes, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    everything = {**os.environ, "NASFUSION_CACHE": str(cwd / "cache"), **environment}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, check=False, cwd=cwd, env=everything)


@pytest.mark.slow
def test_a_command_in_a_locale_without_an_encoding(tmp_path: Path) -> None:
    done = run("data", "--data", "synthetic:500", cwd=tmp_path, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert b"Fields of" in done.stdout
    assert b"\x1b" not in done.stdout


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_command_in_another_encoding(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "dumb", "NO_COLOR": "1", "NASFUSION_CACHE": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    out, error = streams(monkeypatch, encoding)
    with pytest.raises(SystemExit) as ended:
        main(["data", "--data", "synthetic:500"])
    assert ended.value.code == 0, error.getvalue()
    assert "Fields of" in out.getvalue().decode(encoding)
    assert b"\x1b" not in out.getvalue()


def test_a_file_s_name_that_is_not_utf_8(tmp_path: Path) -> None:
    done = run("data", "--data", b"caf\xe9.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"nasfusion: error: every argument must be UTF-8")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["data --data synthetic:500", "compare --help", "version"])
def test_a_reader_that_has_gone(arguments: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, *arguments.split()], stdout=writing, stderr=subprocess.PIPE, check=False, cwd=tmp_path
    )
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode != 0
