"""Every kind of model in every format, run by what runs it elsewhere, against its own logits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_fusion.field_shapes import FieldShape
from nas_fusion.nn import Fields
from nas_fusion.serving.export import EXPORT_FORMATS, TOLERANCE
from nas_fusion.serving.export.export_formats import quiet_exporters
from nas_fusion.serving.export.scored_module import ScoredModule, example_inputs
from nas_fusion.system.files import new_folder
from tests.field_oracle import MIXED, draw_rows
from tests.serving.export.exportable_models import EMB_DIM, EXPORTABLE, Make, exportable


@pytest.fixture(autouse=True)
def unchecked_shapes() -> Iterator[None]:
    """The checks of shapes look at every size while a model is traced: that takes ten times as long."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


BATCHES = (1, 2, 3, 50)

FIELDS: Mapping[str, Fields] = {
    "mixed": Fields(MIXED, EMB_DIM),
    "ids": Fields((FieldShape(4), FieldShape(3), FieldShape(6)), EMB_DIM),
    "wide": Fields((*MIXED, *(FieldShape(5),) * 30), EMB_DIM, block_width=6),
}
"""Numbers and lists among them, and logs whose embeddings are mapped to fewer features."""

TRANSLATED = {
    "onnx": ("soft", "deepfm", "autoctr", "nasrec", "wide edcn", "wide finalmlp"),
    "torch-export": ("soft", "nasrec", "wide edcn", "wide finalmlp"),
}
"""What is traced is translated operation by operation: these have all operations; each more takes a second."""


class Together(nn.Module):
    """Several models as one, which is exported in a fraction of the time: logits ``[batch, model]``."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        return torch.stack([model(ids, values) for model in self.models], dim=1)


class ScoredTogether(ScoredModule):
    """What is exported of `Together`; two-dimensional, which no model of one logit a row is."""

    def forward(self, ids: Tensor, values: Tensor | None = None) -> tuple[Tensor, Tensor]:
        logits = self.module(ids, values)
        return torch.sigmoid(logits), logits


def worst_difference(module: nn.Module, fields: Fields, format: str, folder: Path) -> float:
    """Of the probabilities that a model gives elsewhere, in batches of several sizes."""
    chosen = EXPORT_FORMATS[format]
    with quiet_exporters(folder):
        scored = (ScoredTogether if isinstance(module, Together) else ScoredModule)(module)
        chosen.write(scored, example_inputs(fields.shapes), folder)
        run = chosen.open(folder)
    worst = 0.0
    for rows in BATCHES:
        ids, values = draw_rows(fields.shapes, rows, seed=rows, dtype=torch.float32)
        with torch.no_grad():
            expected = torch.sigmoid(module(ids, values).double()).numpy()
        found = run([ids.long().numpy()] if values is None else [ids.long().numpy(), values.numpy()])
        assert found.shape == expected.shape
        worst = max(worst, float(np.abs(found - expected).max()))
    return worst


def differing_rows(module: nn.Module, fields: Fields) -> bool:
    """Whether it is worth comparing: a model that says the same of every row is exported right by any mistake."""
    with torch.no_grad():
        logits = module(*draw_rows(fields.shapes, 50, dtype=torch.float32))
    return bool((logits.std(dim=0) > 1e-4).all())


@pytest.mark.parametrize("name", EXPORTABLE)
def test_torchscript(name: str, tmp_path: Path) -> None:
    module = exportable(EXPORTABLE[name], FIELDS["mixed"])
    assert differing_rows(module, FIELDS["mixed"])
    assert worst_difference(module, FIELDS["mixed"], "torchscript", tmp_path) <= TOLERANCE


def together(makes: Sequence[Make], fields: Fields) -> nn.Module:
    return Together([exportable(make, fields, seed) for seed, make in enumerate(makes)]).eval()


@pytest.mark.slow
@pytest.mark.parametrize("format", TRANSLATED)
def test_translated_models(format: str, tmp_path: Path) -> None:
    module = together([EXPORTABLE[name] for name in TRANSLATED[format]], FIELDS["mixed"])
    assert differing_rows(module, FIELDS["mixed"])
    assert worst_difference(module, FIELDS["mixed"], format, tmp_path) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("format", EXPORT_FORMATS)
@pytest.mark.parametrize("fields", ["ids", "wide"])
def test_other_fields(fields: str, format: str, tmp_path: Path) -> None:
    module = exportable(EXPORTABLE["dcnv2"], FIELDS[fields])
    assert differing_rows(module, FIELDS[fields])
    assert worst_difference(module, FIELDS[fields], format, tmp_path) <= TOLERANCE


def test_training_afterwards_is_not_hurt(tmp_path: Path) -> None:
    """What is exported is a copy: the model's own weights still learn."""
    module = exportable(EXPORTABLE["deepfm"], FIELDS["mixed"])
    worst_difference(module, FIELDS["mixed"], "torchscript", tmp_path)
    assert all(weight.requires_grad for weight in module.parameters())


@pytest.mark.slow
def test_weights_too_large_for_one_file_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_fusion.serving.export.export_formats.LARGEST_MESSAGE", 0)
    module = exportable(EXPORTABLE["dcnv2"], FIELDS["ids"])
    with new_folder(tmp_path / "exported") as place:
        assert worst_difference(module, FIELDS["ids"], "onnx", place) <= TOLERANCE
    with quiet_exporters(tmp_path):
        run = EXPORT_FORMATS["onnx"].open(tmp_path / "exported")  # where it lies for good
    assert run([np.zeros((2, 3), np.int64)]).shape == (2,)
    assert (tmp_path / "exported" / "model.onnx.data").is_file()
