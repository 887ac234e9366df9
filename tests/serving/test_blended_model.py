"""A blend: the mean of its parts' logits, in one folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas_fusion.errors import DamagedFileError, OptionError, TrainingError
from nas_fusion.serving import Blend, ModelParts, SavedModel, blend_of, load, save_model
from nas_fusion.serving.export import export_model
from nas_fusion.serving.updating import update
from tests.serving.small_model import ROWS, reseal, save_small, small_parts


def opened(folder: Path, scale: float, **changes: Any) -> SavedModel:
    """A small model whose weights are scaled, so that its logits are its own."""
    parts = small_parts(**changes)
    with torch.no_grad():
        for weight in parts.module.parameters():
            weight.mul_(scale)
    save_model(folder, parts)
    return load(folder)


@pytest.fixture
def parts(tmp_path: Path) -> list[SavedModel]:
    return [opened(tmp_path / "one", 1.0), opened(tmp_path / "two", 2.0, strategy="parallel", seed=3)]


def save_blend(folder: Path, parts: list[SavedModel]) -> Path:
    blend, manifest = blend_of(parts)
    save_model(folder, ModelParts(manifest, blend, small_parts().encoding))
    return folder


def test_its_logits_are_the_mean_of_its_parts(tmp_path: Path, parts: list[SavedModel]) -> None:
    model = load(save_blend(tmp_path / "blend", parts))
    one, two = (part.predict_logits(ROWS) for part in parts)
    assert not np.allclose(one, two)
    assert model.predict_logits(ROWS).tolist() == ((one + two) / 2).tolist()
    assert isinstance(model.module, Blend)
    assert model.manifest.title == "stacked + parallel, seed 0"
    assert [part.seed for part in model.manifest.parts] == [0, 3]


def test_its_format_is_newer_and_that_of_others_is_not(tmp_path: Path, parts: list[SavedModel]) -> None:
    """An older nas-fusion opens all that it can open, and says of the rest that a newer one is needed."""
    folder = save_blend(tmp_path / "blend", parts)
    assert json.loads((folder / "model.json").read_text())["format"] == 2
    assert json.loads((tmp_path / "one" / "model.json").read_text())["format"] == 1


def test_it_is_no_network(tmp_path: Path, parts: list[SavedModel]) -> None:
    model = load(save_blend(tmp_path / "blend", parts))
    with pytest.raises(OptionError, match="a network; a blend is served by nasfusion predict"):
        export_model(model, "onnx", tmp_path / "exported")
    with pytest.raises(TrainingError, match="stacked \\+ parallel, seed 0 is no network that goes on"):
        update(model, ROWS.assign(click=[0, 1, 0, 1]), tmp_path / "updated")


def test_a_part_of_other_weights_is_refused(tmp_path: Path, parts: list[SavedModel]) -> None:
    folder = save_blend(tmp_path / "blend", parts)
    reseal(folder, lambda content: content["parts"][1]["space"].update(emb_dim=5))
    with pytest.raises(DamagedFileError, match="the weights are not those of the model that was described"):
        load(folder)


@pytest.mark.parametrize("change", [{"parts": [{"strategy": "x"}]}, {"parts": 3}, {"parts": [3]}])
def test_parts_that_are_none_are_refused(tmp_path: Path, parts: list[SavedModel], change: dict[str, Any]) -> None:
    folder = save_blend(tmp_path / "blend", parts)
    reseal(folder, lambda content: content.update(change))
    with pytest.raises(DamagedFileError, match="not a saved model"):
        load(folder)


def test_parts_have_no_parts(tmp_path: Path, parts: list[SavedModel]) -> None:
    folder = save_blend(tmp_path / "blend", parts)
    reseal(folder, lambda content: content["parts"][0].update(parts=[]))
    with pytest.raises(DamagedFileError, match="a part of a blend that is a blend"):
        load(folder)


def test_a_single_model_says_what_it_said(tmp_path: Path) -> None:
    manifest = load(save_small(tmp_path / "small")).manifest
    assert manifest.parts == ()
    assert "parts" not in manifest.to_dict()
    assert replace(manifest, strategy="fnn").title == "fnn, seed 0"
