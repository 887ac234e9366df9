"""FuxiCTR as a peer: exact versions, an environment that may be missing, and that both sides are told the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from benchmarks import fuxictr
from benchmarks.__main__ import main
from benchmarks._harness import Options, Skipped
from benchmarks.peers import fuxictr_environment, fuxictr_side_path


def test_every_version_is_exact() -> None:
    pins = fuxictr_environment.REQUIREMENTS.read_text("utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", pin) for pin in pins)
    assert {pin.split("==")[0] for pin in pins} >= {"fuxictr", "torch", "ray"}


def test_without_its_environment_it_is_skipped_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuxictr_environment, "STAMP", tmp_path / "installed.txt")
    with pytest.raises(Skipped, match="make fuxictr"):
        list(fuxictr.run(Options(1, True, tmp_path, "cpu")))
    monkeypatch.setattr("sys.argv", ["benchmarks", "fuxictr", "--quick", "--results", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "fuxictr: skipped: no environment" in capsys.readouterr().err


def test_an_environment_of_other_versions_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuxictr_environment, "STAMP", tmp_path / "installed.txt")
    fuxictr_environment.STAMP.write_text("fuxictr==0.1\n", "utf-8")
    assert fuxictr_environment.python() is None
    fuxictr_environment.STAMP.write_text(fuxictr_environment.REQUIREMENTS.read_text("utf-8"), "utf-8")
    assert fuxictr_environment.python() is not None


def test_its_side_knows_nothing_of_ours() -> None:
    tree = ast.parse(fuxictr_side_path().read_text("utf-8"))
    imported = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    imported += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    assert not [name for name in imported if name.startswith(("nas_fusion", "benchmarks"))]
