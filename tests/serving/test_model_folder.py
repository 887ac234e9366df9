"""The folder of a saved model: what is in it, that it is written whole, and that nothing is lost on the way."""

from __future__ import annotations

import base64
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import nas_fusion
from nas_fusion.architecture import Architecture
from nas_fusion.data import DataOptions, LogForm
from nas_fusion.errors import DataError, StrategyError, WriteError
from nas_fusion.serving import LogFacts, ModelManifest, model_writing, save_model
from nas_fusion.serving.model_view import model_view
from nas_fusion.serving.module_rebuilding import LARGE, LargeTablesUndrawn
from nas_fusion.settings import TrainConfig
from tests.serving.small_model import ROWS, save_small, small_parts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_small(tmp_path / "model")


def test_what_is_in_it(folder: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "README.md", "model.json", "schema.json", "vocabularies/000.parquet", "weights.safetensors", "design.json",
        "design.svg",
    }  # fmt: skip
    assert set(json.loads((folder / "model.json").read_text("utf-8"))["files"]) == names - {"model.json"}
    assert pq.read_table(folder / "vocabularies/000.parquet")["value"].to_pylist()[:2] == ["ann", "bob"]
    assert load_file(folder / "weights.safetensors")["embedding.table.weight"].shape == (25, 3)


def test_the_readme_says_what_it_is_and_what_rows_need(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    for words in (
        "stacked, seed 0",
        "nas-fusion 0.1.0",
        r"a log \| of clicks: 80 training",
        "`user`, `price`, `page`",
        "valid auc | 0.75",
    ):
        assert words in text


def test_nothing_is_lost_on_the_way(folder: Path) -> None:
    given, found = small_parts().manifest, nas_fusion.load(folder).manifest
    assert replace(found, files={}) == given
    assert found.log.options.missing == ("unknown",)
    assert found.log.form.decimal == ","


OPTIONS = DataOptions(
    format="csv", encoding="latin-1", delimiter=";", quote="none", decimal=",", missing=("-999",), label="y",
    positive="buy", weight="w", group="g", split="time:when:8:1:1", dates="mdy", seed=3, min_count=4,
    kinds={"a": "list"}, numeric={"b": "scale"}, numbers="bucket", hash={"c": "2^10"}, drop=("d",), list_length=7,
    list_delimiter="|", vocabulary_rows="all", reproduce_criteo_buckets=True, fields=("a", "b", "c", "when"),
)  # fmt: skip


def test_every_option_of_the_log_is_kept() -> None:
    """Each differs from its default above, so that one that is forgotten shows."""
    usual = DataOptions().to_dict()
    same = [name for name, value in OPTIONS.to_dict().items() if value == usual[name]]
    assert same == ["split_column"], "which goes with no split"
    form = LogForm("libsvm", False, ("x",), ",", True, {"a": "1"})
    facts = LogFacts("log", "f", (1, 2, 3), 0.5, OPTIONS, form)
    assert LogFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts
    assert facts.reading_options == replace(OPTIONS, format="auto")


def test_every_setting_of_the_recipe_is_kept() -> None:
    recipe = TrainConfig(0.1, 0.2, "touched-rows-adam", 0.3, 0.4, 5, 6, 7, 0.8, 0.09)
    manifest = replace(small_parts().manifest, recipe=recipe)
    assert ModelManifest.from_dict(json.loads(json.dumps(manifest.to_dict()))).recipe == recipe


def test_the_model_gives_what_its_module_gave(folder: Path) -> None:
    model, parts = nas_fusion.load(folder), small_parts()
    assert not model.module.training
    rows = model.encode(ROWS)
    assert rows.ids[:, 0].tolist() == [2, 0, 3, 1]
    assert rows.values is not None
    with torch.inference_mode():
        batches = [
            parts.module.eval()(torch.from_numpy(rows.ids[b]), torch.from_numpy(rows.values[b]))
            for b in (slice(3), slice(3, 4))
        ]
    assert model.predict_logits(ROWS).tolist() == torch.cat(batches).tolist()
    clicks = 1 / (1 + np.exp(-model.predict_logits(ROWS)))
    assert model.scores(ROWS) == pytest.approx(clicks)
    assert model.predict_proba(ROWS) == pytest.approx(np.stack([1 - clicks, clicks], axis=1))


def test_rows_are_named_where_they_cannot_be_used(folder: Path) -> None:
    model = nas_fusion.load(folder)
    assert model.columns == ("user", "price", "page")
    with pytest.raises(DataError, match=r"the rows lack 2 columns: 'price', 'page'; columns are user"):
        model.scores(ROWS[["user"]])
    with pytest.raises(DataError, match=r"line 3, column 'price': expected a number, found 'cheap'"):
        model.scores(ROWS.assign(price=["1,5", "2", "cheap", "3"]))
    with pytest.raises(DataError, match=r"no such file"):
        model.scores("nowhere.parquet")
    with pytest.raises(DataError, match=r"found int"):
        model.scores(3)  # type: ignore[arg-type]


def test_texts_are_read_as_those_of_the_log(folder: Path) -> None:
    """The log had a decimal comma, which was guessed, and a mark of its own; a frame cannot tell of either."""
    model = nas_fusion.load(folder)
    assert model.encode(ROWS.assign(price=["1,5", "2", "", "9"]).astype(str)).values == pytest.approx(
        model.encode(ROWS).values
    )


@pytest.mark.parametrize("rows", [ROWS.iloc[:0], ROWS.iloc[:0].to_dict("list")])
def test_no_rows_have_no_scores(rows: object, folder: Path) -> None:
    model = nas_fusion.load(folder)
    assert model.scores(rows).shape == (0,)  # type: ignore[arg-type]
    assert model.predict_proba(rows).shape == (0, 2)  # type: ignore[arg-type]


def test_a_zip_is_opened_without_unpacking(folder: Path, tmp_path: Path) -> None:
    scores = nas_fusion.load(folder).scores(ROWS).tolist()
    for name, prefix in (("flat.zip", ""), ("inside.zip", "a model/")):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            for path in folder.rglob("*"):
                if path.is_file():
                    file.write(path, prefix + path.relative_to(folder).as_posix())
        before = set(tmp_path.rglob("*"))
        assert nas_fusion.load(tmp_path / name).scores(ROWS).tolist() == scores
        assert set(tmp_path.rglob("*")) == before


def test_a_model_that_cannot_be_written_leaves_the_older_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_writing, "save_file", full)
    with pytest.raises(WriteError, match="No space left on device"):
        save_model(folder, small_parts(seed=7))
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert nas_fusion.load(folder).manifest.seed == 0
    monkeypatch.undo()
    save_model(folder, small_parts(seed=7))
    assert nas_fusion.load(folder).manifest.seed == 7


def test_a_strategy_that_is_not_installed_is_said(tmp_path: Path) -> None:
    """A design of the fusion space opens without whoever found it; an architecture does not."""
    assert nas_fusion.load(save_small(tmp_path / "a", strategy="of-a-plugin")).manifest.strategy == "of-a-plugin"
    architecture = Architecture.build("of-a-plugin", {})
    save_small(tmp_path / "b", strategy="of-a-plugin", design=architecture)
    with pytest.raises(StrategyError, match=r"of-a-plugin: the package that has this strategy is not installed"):
        nas_fusion.load(tmp_path / "b")


def test_tensors_that_share_memory_are_both_written(tmp_path: Path) -> None:
    linear = nn.Linear(3, 3)
    model_writing.write_weights(tmp_path / "w", {"a": linear.weight, "b": linear.weight, "c": linear.weight.t()})
    found = load_file(tmp_path / "w")
    assert torch.equal(found["a"], found["b"])
    assert torch.equal(found["c"], found["a"].t())


def test_first_values_of_large_tables_are_not_drawn() -> None:
    large, small = torch.zeros(LARGE), torch.zeros(10)
    with LargeTablesUndrawn():
        nn.init.normal_(large)
        large.uniform_()
        nn.init.normal_(small)
    assert not large.any()
    assert small.all()


def test_a_notebook_shows_what_it_is(folder: Path, tmp_path: Path) -> None:
    model = nas_fusion.load(folder)
    shown = model._repr_html_()
    for words in ("stacked, seed 0", "a log | of clicks: 80 / 10 / 10 rows", "valid auc", "0.75", "user, price, page"):
        assert words in shown
    drawing = base64.b64encode((folder / "design.svg").read_bytes()).decode()
    assert f"src='data:image/svg+xml;base64,{drawing}'" in shown, "a picture, in which no script runs"
    (folder / "design.svg").unlink()
    assert "<img" not in model._repr_html_()
    hostile = replace(small_parts().manifest, strategy="<script>", files={})
    assert "<script>" not in model_view("x", hostile, model.schema)
