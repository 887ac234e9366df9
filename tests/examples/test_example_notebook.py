"""The example notebook runs as it stands, from an empty folder to scores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "from-log-to-scores.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Jupyter's own, of its folders
def test_it_runs_from_a_log_to_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook: Any = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    folder = tmp_path / "user"
    folder.mkdir()
    # A cell that raises ends it with an error.
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    scores = pd.read_parquet(folder / "scores.parquet")
    assert "click" not in scores
    assert scores["score"].between(0, 1).all()
    assert len(scores) == len(pd.read_parquet(folder / "tomorrow.parquet")) > 100
    assert (folder / "model" / "model.json").is_file()


def test_it_is_kept_as_it_ran_and_names_no_machine() -> None:
    notebook: Any = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result"}
    assert all(output.get("name", "stdout") == "stdout" for output in outputs)
    assert os.sep + "tmp" not in NOTEBOOK.read_text("utf-8")
