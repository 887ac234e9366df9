"""In a notebook a comparison has a bar without being asked, and what it returns is shown as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from nas_fusion.studies.timing import notebook_bar
from nas_fusion.studies.timing.notebook_bar import NotebookBar, in_notebook
from nas_fusion.system.told import tell
from tests.report.report_fakes import cell

ROOT = Path(__file__).resolve().parents[3]

CODE = """
import nas_fusion
from nas_fusion.data import DataOptions, prepare
from nas_fusion.settings import ComparisonSettings, ModelSettings, RecipeSettings
from nas_fusion.studies import compare
settings = ComparisonSettings(
    source="synthetic:600", data=DataOptions(), strategies=("stacked", "parallel"), seeds=(0,), device="cpu",
    model=ModelSettings(levels=1, emb_dim=2), recipe=RecipeSettings(choice="defaults", retrain_epochs=1),
)
compared = compare(settings, prepare("synthetic:600"), "study")
compared
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Jupyter's own, of its folders
def test_a_notebook_shows_a_bar_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    cells = [nbformat.v4.new_code_cell(CODE), nbformat.v4.new_code_cell("compared.best_model()")]  # type: ignore[no-untyped-call]
    notebook: Any = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[0].outputs
    text = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert "2/2" in text
    assert "is re-trained" in text or "begins" in text
    (table,) = [output.data["text/html"] for output in outputs if output.output_type == "execute_result"]
    assert "<table>" in table
    assert "parallel" in table
    assert "report.html" in table
    (model,) = [output.data["text/html"] for output in notebook.cells[1].outputs if "data" in output]
    assert "rows need" in model
    assert "data:image/svg+xml;base64," in model


def test_it_counts_cells_and_says_what_begins(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_bar, "in_notebook", lambda: True)
    heard: list[tuple[int, int]] = []
    bar = NotebookBar(shown=True)
    told = bar.listening(lambda record, done, total: heard.append((done, total)))
    told(cell("random", 0), 1, 3)  # before it is drawn, as cells of an earlier start are
    with bar.drawn():
        tell("dcn, seed 1 begins")
        told(cell("random", 1), 2, 3)
        told(cell("random", 2), 3, 3)
    tell("afterwards")
    assert heard == [(1, 3), (2, 3), (3, 3)]
    written = capsys.readouterr().out
    assert "dcn, seed 1 begins" in written
    assert "3/3" in written
    assert "afterwards" not in written


@pytest.mark.parametrize(("shown", "inside"), [(False, True), (True, False)])
def test_there_is_none_elsewhere(
    shown: bool, inside: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_bar, "in_notebook", lambda: inside)
    bar = NotebookBar(shown=shown)
    with bar.drawn():
        bar.listening(None)(cell("random", 1), 1, 1)
    assert capsys.readouterr().out == ""


def test_this_is_no_notebook() -> None:
    assert not in_notebook()
