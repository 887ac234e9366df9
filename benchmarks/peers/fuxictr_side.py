"""FuxiCTR's side of `benchmarks.fuxictr`: run by the Python of FuxiCTR's own environment, knows nothing of ours.

``python fuxictr_side.py FOLDER`` reads ``FOLDER/work.json`` and the encoded rows beside it (``train.npz`` and so on, a
column a field), then obeys one JSON object a line from standard input and answers each with one:

- ``{"do": "steps", "model": …, "count": …}``: seconds of each of so many training steps on one batch in memory;
- ``{"do": "fit", "model": …, "seed": …}``: seconds of a training with FuxiCTR's loader and its
  validation, and the test AUC.

The models are put together from FuxiCTR's layers as its model zoo does; the zoo's DNN and DCNv2 are not in its package.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.dataloaders import RankDataLoader
from fuxictr.pytorch.layers import CrossNetV2, FeatureEmbedding, MLP_Block
from fuxictr.pytorch.models import BaseModel
from fuxictr.pytorch.torch_utils import seed_everything
from torch import nn

DATASET = "benchmark"


class Ranked(BaseModel):
    """A FuxiCTR model of one batch dictionary.

    Args:
        feature_map: of the fields.
        work: sizes and recipe, see `benchmarks.fuxictr`.
    """

    def __init__(self, feature_map: FeatureMap, work: dict[str, Any]) -> None:
        super().__init__(
            feature_map,
            model_id="benchmark",
            verbose=0,
            model_root=work["folder"],
            metrics=["AUC"],
            monitor="AUC",
            early_stop_patience=work["epochs"] + 1,
            reduce_lr_on_plateau=False,
        )
        self.embedding_layer = FeatureEmbedding(feature_map, work["emb_dim"])
        self.build(len(feature_map.features) * work["emb_dim"], work)
        self.compile("adam", "binary_crossentropy", work["learning_rate"])
        self.reset_parameters()
        self.model_to_device()

    def build(self, width: int, work: dict[str, Any]) -> None:
        """Make the layers behind the embeddings."""
        raise NotImplementedError

    def logits(self, embedded: torch.Tensor) -> torch.Tensor:
        """Of the flat embeddings."""
        raise NotImplementedError

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """As FuxiCTR's models answer."""
        embedded = self.embedding_layer(self.get_inputs(inputs), flatten_emb=True)
        return {"y_pred": self.output_activation(self.logits(embedded))}


class DNN(Ranked):
    """FuxiCTR's DNN: FNN without pre-training."""

    def build(self, width: int, work: dict[str, Any]) -> None:
        """The tower with its head."""
        self.mlp = tower(width, work, output_dim=1)

    def logits(self, embedded: torch.Tensor) -> torch.Tensor:
        """Of the flat embeddings."""
        return self.mlp(embedded)


class DCNv2(Ranked):
    """FuxiCTR's DCNv2 in its parallel form."""

    def build(self, width: int, work: dict[str, Any]) -> None:
        """Crosses, tower and head."""
        self.crossnet = CrossNetV2(width, work["cross_layers"])
        self.parallel_dnn = tower(width, work, output_dim=None)
        self.fc = nn.Linear(width + work["hidden"][-1], 1)

    def logits(self, embedded: torch.Tensor) -> torch.Tensor:
        """Of the flat embeddings."""
        return self.fc(torch.cat([self.crossnet(embedded), self.parallel_dnn(embedded)], dim=-1))


MODELS = {"FNN": DNN, "DCNv2": DCNv2}


def tower(width: int, work: dict[str, Any], output_dim: int | None) -> MLP_Block:
    """Dense layers."""
    return MLP_Block(
        input_dim=width,
        output_dim=output_dim,
        hidden_units=work["hidden"],
        hidden_activations="ReLU",
        output_activation=None,
        dropout_rates=work["dropout"],
        batch_norm=work["batch_norm"],
    )


def feature_map_of(work: dict[str, Any]) -> FeatureMap:
    """The fields as FuxiCTR knows them."""
    made = FeatureMap(DATASET, work["folder"])
    made.labels = ["label"]
    for number, size in enumerate(work["field_sizes"]):
        made.features[f"f{number}"] = {"source": "", "type": "categorical", "vocab_size": size}
    made.num_fields, made.total_features = len(made.features), sum(work["field_sizes"])
    made.input_length = len(made.features)
    made.set_column_index()
    return made


def steps(work: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Seconds of training steps on the first batch."""
    seed_everything(0)
    features = feature_map_of(work)
    model = MODELS[asked["model"]](features, work)
    model._max_gradient_norm = work["gradient_clip"]
    loader = RankDataLoader(
        features, stage="train", train_data=f"{work['folder']}/train.npz", batch_size=work["batch_size"], num_workers=0
    )
    batch = next(iter(loader[0]))
    model.train()
    taken = []
    for _ in range(asked["count"]):
        start = time.perf_counter()
        model.train_step(batch).item()
        taken.append(time.perf_counter() - start)
    return {"seconds": taken}


def fit(work: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a whole training, and the test AUC of its best epoch."""
    seed_everything(asked["seed"])
    features, folder = feature_map_of(work), work["folder"]
    # As FuxiCTR's own scripts have it where no number of workers is given.
    train, valid = RankDataLoader(
        features,
        stage="train",
        train_data=f"{folder}/train.npz",
        valid_data=f"{folder}/valid.npz",
        batch_size=work["batch_size"],
        shuffle=True,
    )
    test = RankDataLoader(
        features, stage="test", test_data=f"{folder}/test.npz", batch_size=work["batch_size"], shuffle=False
    )
    model = MODELS[asked["model"]](features, work)
    start = time.perf_counter()
    model.fit(train, epochs=work["epochs"], validation_data=valid, max_gradient_norm=work["gradient_clip"])
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "auc": float(model.evaluate(test)["AUC"])}


def main(folder: str) -> None:
    """Answer until standard input ends."""
    work = json.loads((Path(folder) / "work.json").read_text("utf-8"))
    work["folder"] = folder
    torch.set_num_threads(work["threads"])
    # Where FuxiCTR keeps the weights of the best epoch; its own preparation of data would make it.
    (Path(folder) / DATASET).mkdir(exist_ok=True)
    print(json.dumps({"ready": torch.__version__}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps((steps if asked["do"] == "steps" else fit)(work, asked)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
