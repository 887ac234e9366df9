"""``nasfusion table`` and ``nasfusion replay``."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_fusion.cli import main
from nas_fusion.lab import DesignTable

TABLE = ["table", "--data", "synthetic:400", "--part", "3", "--epochs", "1", "--emb-dim", "2"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    printed = capsys.readouterr()
    return int(ended.value.code or 0), " ".join((printed.out + printed.err).split())


@pytest.mark.slow
def test_a_table_is_written_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "t.parquet"
    code, said = run(capsys, *TABLE, "--seeds", "2", "--out", str(out))
    assert code == 0
    assert "3 designs, 2 seeds, 1 epochs" in said
    assert len(DesignTable.open(out)) == 3
    code, said = run(capsys, "replay", str(out))
    assert code == 2
    assert "must be one of a whole space" in said
    code, said = run(capsys, "replay", str(out), "--log", "clicks")
    assert code == 2
    assert "known are synthetic:400" in said
    code, said = run(capsys, *TABLE, "--levels", "2", "--part", "0", "--out", str(out))
    assert code == 2
    assert "part must be given for a space of 536,870,912 samples" in said
