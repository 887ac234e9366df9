"""An exported folder: what is in it, that its example runs as it stands, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn

from nas_fusion.baselines.tabular.logistic_regression import LogisticRegression
from nas_fusion.cli import main
from nas_fusion.data import prepare
from nas_fusion.errors import MissingPackageError, OptionError
from nas_fusion.serving import SavedModel
from nas_fusion.serving.export import TOLERANCE, Exported, ExportError, export_model
from nas_fusion.serving.export.export_formats import TorchScript
from nas_fusion.serving.export.scored_module import ScoredModule
from tests.serving.clicks_log import OPTIONS, clicks
from tests.serving.export.exportable_models import EXPORTABLE, opened


@pytest.fixture(autouse=True, scope="module")
def unchecked_shapes() -> Iterator[None]:
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """A model on texts, numbers, hashes, lists and times."""
    folder = tmp_path_factory.mktemp("log")
    clicks().to_csv(folder / "clicks.csv", sep=";", index=False)
    return opened(prepare(str(folder / "clicks.csv"), OPTIONS, cache=folder / "cache"), EXPORTABLE["hard, sparse"])


@pytest.fixture(scope="module")
def exported(model: SavedModel, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_model(model, "torchscript", tmp_path_factory.mktemp("exported") / "model")


def test_everything_lies_in_the_folder(exported: Exported, model: SavedModel) -> None:
    files = {str(path.relative_to(exported.folder)) for path in exported.folder.rglob("*") if path.is_file()}
    assert files == {
        "README.md", "check.json", "encoder.py", "encoder_hashes.py", "encoder_times.py", "encoding/encoding.json",
        "encoding/vocabularies/0.json", "encoding/vocabularies/0.parquet", "encoding/vocabularies/6.json",
        "encoding/vocabularies/6.parquet", "model.ts.pt",
    }  # fmt: skip
    assert exported.file.is_file()
    values = pq.read_table(exported.folder / "encoding/vocabularies/0.parquet").column("value").to_pylist()
    assert values == json.loads((exported.folder / "encoding/vocabularies/0.json").read_text())
    assert values == list(model.encoding.vocabularies[0].values.to_pylist())  # type: ignore[union-attr]


def test_the_check_holds_rows_and_our_scores(exported: Exported, model: SavedModel) -> None:
    check = json.loads((exported.folder / "check.json").read_text())
    assert len(check["rows"]) == len(check["ids"]) == len(check["probability"]) == 20
    np.testing.assert_allclose(model.scores(check["rows"]), check["probability"], rtol=1e-6)
    assert {cell for row in check["rows"] for cell in (row["user"], row["price"], row["tags"])} >= {None}
    assert 0 < check["worst_difference"] <= TOLERANCE
    assert check["batch_sizes"] == [1, 2, 7, 256]
    assert np.std(check["probability"]) > 0.01


OTHERS = {"onnx": ("torch", "pandas", "pyarrow", "nas_fusion"), "torchscript": ("nas_fusion",)}


@pytest.mark.slow
@pytest.mark.parametrize("format", OTHERS)
def test_the_example_of_the_readme_runs_without_us(format: str, model: SavedModel, tmp_path: Path) -> None:
    folder = export_model(model, format, tmp_path / "model").folder
    example = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[0]
    code = f"{example}\nimport sys\nassert not set(sys.modules) & set({OTHERS[format]!r})\n"
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) <= TOLERANCE


class Other(TorchScript):
    """Writes another model than it was given."""

    def write(self, module: ScoredModule, inputs: tuple[Tensor, ...], folder: Path) -> None:
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(1e-2)
        super().write(module, inputs, folder)


def test_a_model_that_differs_is_not_written(
    model: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas_fusion.serving.export.model_export.EXPORT_FORMATS", {"torchscript": Other()})
    with pytest.raises(ExportError, match=r"in batches of 1, row \d+ has the probability 0\.\d{8} where .* 0\.\d{8}"):
        export_model(model, "torchscript", tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_an_encoder_that_differs_is_not_written(
    model: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_for_all = "vocabularies/0."
    monkeypatch.setattr(
        "nas_fusion.serving.export.encoding_map._vocabulary", lambda field, suffix: one_for_all + suffix
    )
    with pytest.raises(ExportError, match=r"encoder\.py gives row \d+ the id \d+ in column \d+ where the model .* \d+"):
        export_model(model, "torchscript", tmp_path / "model")
    assert not list(tmp_path.iterdir())


class Undecided(nn.Module):
    """A module that no exporter can follow: what it does depends on its numbers."""

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        return ids[:, 0].float() if ids.sum() > 0 else ids[:, 1].float()


def test_a_model_that_cannot_be_followed_is_named(model: SavedModel, tmp_path: Path) -> None:
    odd = SavedModel(model.path, model.manifest, model.encoding, Undecided())
    with pytest.raises(ExportError, match="drawn, seed 0 cannot be written as torch-export: "):
        export_model(odd, "torch-export", tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(model: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_fusion.serving.export.export_formats.find_spec", lambda name: None)
    with pytest.raises(
        MissingPackageError, match=r"onnx needs onnx, which is not installed: pip install '\.\[export\]'"
    ):
        export_model(model, "onnx", tmp_path / "model")


def test_an_unknown_format_is_refused(model: SavedModel, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="format must be one of onnx, torch-export, torchscript, got 'pmml'"):
        export_model(model, "pmml", tmp_path / "model")


def test_models_that_are_no_networks_say_what_to_do(model: SavedModel, tmp_path: Path) -> None:
    whole = LogisticRegression.__new__(LogisticRegression)
    nn.Module.__init__(whole)
    tree = SavedModel(model.path, model.manifest, model.encoding, whole)
    with pytest.raises(OptionError, match=r"model must be a network; a linear model is a sum .* coefficients"):
        export_model(tree, "onnx", tmp_path / "model")


def test_somebody_elses_folder_is_left_alone(model: SavedModel, exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OptionError, match="a new folder, or one with an exported model"):
        export_model(model, "torchscript", tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    export_model(model, "torchscript", exported.folder)  # replaced


def test_the_command(
    model: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nas_fusion.serving.load", lambda path: model)
    with pytest.raises(SystemExit, match="0"):
        main(["export", "model", "--format", "torchscript", "--out", str(tmp_path / "exported")])
    shown = capsys.readouterr().out
    assert f"written: {tmp_path / 'exported' / 'model.ts.pt'}" in shown.replace("\n", "")
    assert "probabilities differ by at most" in shown
