"""A saved model that nothing was trained for: three fields, a hand-made design."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import torch

from nas_fusion.data import DataOptions, Field, FieldKind, LogForm, Schema
from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.design import FusionDesign
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import space_of
from nas_fusion.serving import LogFacts, ModelManifest, ModelParts, save_model
from nas_fusion.settings import ModelSettings, TrainConfig
from nas_fusion.system.seals import seal_of_file, sealed
from nas_fusion.training import seeded

SCHEMA = Schema(
    (
        Field("user", FieldKind.CATEGORICAL, 5),
        Field("price", FieldKind.SCALED, 2, mean=3.0, std=2.0, number=0),
        Field("page", FieldKind.HASHED, 18),
    ),
    "click",
)
DESIGN = FusionDesign.build(
    1,
    [("embedding", "cross0"), ("cross0", "cross1"), ("embedding", "deep1"), ("cross1", "output"), ("deep1", "output")],
    "concat",
)
ROWS = pd.DataFrame({"user": ["ann", None, "bob", "eve"], "price": [1.5, 2.0, None, 9.0], "page": ["a", "b", "c", ""]})


def small_parts(**changes: Any) -> ModelParts:
    """What it is saved from; the changes are those of its manifest."""
    values = pa.array(["ann", "bob", "a name of more than eight letters"], pa.large_string())
    encoding = FittedEncoding.of(SCHEMA, [Vocabulary(values), None, None])
    settings = ModelSettings(levels=1, emb_dim=3, block_width="0", batch_norm=True)
    with seeded(0):
        module = space_of(settings, Fields(SCHEMA.field_shapes, 3)).derive(DESIGN, weights=False)
        module(torch.zeros(8, 3, dtype=torch.int32), torch.randn(8, 1))  # batch norm has seen something
    options = DataOptions(missing=("unknown",), dates="dmy", list_delimiter=";", kinds={"user": "category"})
    log = LogFacts("a log | of clicks", "f" * 64, (80, 10, 10), 0.25, options, LogForm("csv", decimal=","))
    given = {
        "strategy": "stacked", "kind": "reference", "seed": 0, "mode": "hard", "design": DESIGN, "space": settings,
        "recipe": TrainConfig(batch_size=3), "log": log, "metrics": {"valid": {"auc": 0.75}},
        "versions": {"nas-fusion": "0.1.0"}, "created": "2026-01-02T03:04:05+00:00", **changes,
    }  # fmt: skip
    return ModelParts(ModelManifest(**given), module, encoding, "{}", "<svg/>")


def save_small(folder: Path, **changes: Any) -> Path:
    """The folder of the saved model."""
    save_model(folder, small_parts(**changes))
    return folder


def reseal(folder: Path, change: Callable[[dict[str, Any]], None] = lambda content: None) -> None:
    """Change what a manifest says, and make all checksums fit again, as somebody does who wants to do harm."""
    content = json.loads((folder / "model.json").read_text("utf-8"))
    del content["sha256"]
    content["files"] = {name: seal_of_file(folder / name) for name in content["files"] if (folder / name).is_file()}
    change(content)
    (folder / "model.json").write_text(sealed(content), "utf-8")
