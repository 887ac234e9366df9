"""Settings that cannot be, whoever makes them; models that do not fit; nothing is written before all is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.errors import NasFusionError, OptionError, StudyError
from nas_fusion.measures import parameters
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import (
    ComparisonSettings,
    LimitSettings,
    ModelSettings,
    Part,
    RecipeSettings,
    check_runnable,
    check_storage,
    compare,
    compare_suite,
    make_space,
    tune,
)
from nas_fusion.studies.setup import memory
from nas_fusion.studies.setup.memory import check_memory


def settings(**changes: Any) -> ComparisonSettings:
    given = {"source": "synthetic:500", "data": DataOptions(), "strategies": ("random", "stacked", "parallel")}
    return ComparisonSettings(**{**given, **changes})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:500", cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelSettings(levels=1000), r"levels must be an integer from 1 to 32 .*2,179 at 32.*got 1000"),
        (lambda: ModelSettings(levels=True), "levels must be an integer"),
        (lambda: ModelSettings(emb_dim=100_000), "emb_dim must be 0 or an integer from 1 to 4,096, got 100000"),
        (lambda: ModelSettings(operations="add,add"), "operations must be auto, or names"),
        (lambda: ModelSettings(product="half"), "product must be one of zero, open"),  # type: ignore[arg-type]
        (lambda: ModelSettings(batch_norm="yes"), "batch_norm must be true or false"),  # type: ignore[arg-type]
        (lambda: ModelSettings(dropout=1.0), "dropout must be a number from 0 to 0.99"),
        (lambda: check_runnable(settings(model=ModelSettings(space="dnc"))), "did you mean 'dcn'"),
        (lambda: RecipeSettings(learning_rate=float("nan")), "learning_rate must be a number above 0"),
        (lambda: RecipeSettings(batch_size=10**12), "batch_size must be 0 or an integer from 1 to 1,048,576"),
        (lambda: RecipeSettings(retrain_epochs=10**18), "retrain_epochs must be an integer from 1 to 100,000"),
        (lambda: RecipeSettings(embedding_l2=float("inf")), "embedding_l2 must be a number from 0 to 10,000"),
        (lambda: RecipeSettings(embedding_optimizer="sgd"), "embedding_optimizer must be one of adam"),
        (lambda: LimitSettings(latency_batch=2), "latency_batch must be one of 1, 4096"),
        (lambda: settings(seeds=tuple(range(1001))), "seeds must be different integers, 1 to 1,000 of them"),
        (lambda: settings(seeds=(2**32,)), "seeds must be an integer from 0 to 4,294,967,295, got 4294967296"),
        (lambda: settings(candidates=10**20), "candidates must be an integer from 1 to 100,000"),
        (lambda: settings(concurrency=10**9), "concurrency must be an integer from 1 to 256"),
        (lambda: settings(tune=10**9), "tune must be an integer from 0 to 10,000"),
        (lambda: settings(budget="1e30x"), "budget must be samples"),
        (lambda: settings(budget=5), "budget must be a text"),
        (lambda: settings(importance="no"), "importance must be true or false"),
        (lambda: settings(strategies=("random", "random")), "strategies must be different names"),
        (lambda: settings(device="tpu"), "device must be auto, cpu, cuda or cuda:N"),
        (lambda: DataOptions(min_count=0), "min_count must be an integer from 1"),
        (lambda: DataOptions(seed=2**32), "seed must be an integer from 0 to 4,294,967,295"),
        (lambda: DataOptions(label=""), "label must be a text"),
        (lambda: DataOptions(split="time:day", split_column="part"), "split must be left out"),
        (lambda: DataOptions(label="y", split_column="y"), "split_column must be another column"),
        (lambda: DataOptions(label="y", numeric={"y": "scale"}), "numeric must be of a field"),
        (lambda: DataOptions(numeric=(("a", "scale"), ("a", "bucket"))), "must be one rule"),
        (lambda: DataOptions(numeric="a=scale"), "numeric must be columns with their rules"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_cannot_be(make: Callable[[], object], message: str) -> None:
    with pytest.raises(NasFusionError, match=message):
        make()


def test_models_are_counted_before_they_are_built(dataset: EncodedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(model=ModelSettings(levels=2, emb_dim=4))
    entries = [STRATEGIES.get("optfusion-hard")]
    built = parameters(make_space(chosen, dataset))
    rows = chosen.batch_size(len(dataset.train))
    activations = 5 * 6 * rows * 40
    need = 4 * (5 * built + activations)
    monkeypatch.setattr(memory, "memory", lambda settings: need)
    check_memory(chosen, dataset, entries)
    monkeypatch.setattr(memory, "memory", lambda settings: need - 1)
    expected = rf"emb_dim must be at most 3 here, or block_width at most 39, with 10 fields, .* \({built:,} weights"
    with pytest.raises(OptionError, match=expected):
        check_memory(chosen, dataset, entries)
    check_memory(replace(chosen, model=ModelSettings(levels=2, emb_dim=3)), dataset, entries)
    with pytest.raises(OptionError, match="and 2 processes"):
        check_memory(chosen, dataset, entries, processes=2)
    with pytest.raises(OptionError, match="emb_dim must be at most"):
        check_memory(replace(chosen, precision="64"), dataset, entries)
    check_memory(chosen, dataset, [STRATEGIES.get("random")])  # trains no supernet


def test_nothing_fits(dataset: EncodedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory", lambda settings: 1000)
    with pytest.raises(OptionError, match="even emb_dim 1 does not fit 10 fields"):
        check_memory(settings(), dataset, [STRATEGIES.get("random")])


def test_a_supernet_larger_than_any_machine(dataset: EncodedDataset, tmp_path: Path) -> None:
    huge = settings(strategies=("optfusion-hard",), model=ModelSettings(levels=3, emb_dim=4096))
    with pytest.raises(OptionError, match=r"emb_dim must be at most \d+ here, with 10 fields, .*need at least .* GiB"):
        compare(huge, dataset, tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


BAD: dict[str, dict[str, Any]] = {
    "storage": {"storage": "sqlite:///nowhere/at/all.db"},
    "password": {"storage": "nosql://me:secret@host/db"},
    "latex": {"latex": Path("nowhere/table.tex")},
    "config": {"engine": "nni", "nni_config": Path("nowhere.yml")},
    "engine": {"engine": "nmi"},
    "reference": {"reference": "tpe"},
    "processes": {"processes": 100_000},
}


@pytest.mark.parametrize("name", BAD)
def test_a_comparison_that_is_refused_leaves_nothing(
    name: str, dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NasFusionError) as caught:
        compare(settings(), dataset, "study", **BAD[name])
    assert "secret" not in str(caught.value)
    parts = [Part("a", settings(), dataset), Part("b", settings(), dataset)]
    with pytest.raises(NasFusionError):
        compare_suite(parts, "suite", **BAD[name])
    assert list(tmp_path.iterdir()) == []


def test_a_device_or_a_parameter_that_cannot_be_leaves_nothing(dataset: EncodedDataset, tmp_path: Path) -> None:
    for bad in (settings(device="cuda:99"), settings(parameters={"tpe": {}}), settings(strategies=("nope",))):
        with pytest.raises(NasFusionError):
            compare(bad, dataset, tmp_path / "study")
        with pytest.raises(NasFusionError):
            tune(replace(bad, strategies=bad.strategies[:1], tune=2), dataset, tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


def test_a_suite_is_refused_for_its_last_log(dataset: EncodedDataset, tmp_path: Path) -> None:
    parts = [Part("a", settings(), dataset), Part("b", settings(device="cuda:99"), dataset)]
    with pytest.raises(OptionError, match="device must be"):
        compare_suite(parts, tmp_path / "suite")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    with pytest.raises(StudyError, match="is not empty"):
        compare_suite(parts[:1], tmp_path / "full")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "thesis.tex"]


def test_storages_that_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.db").write_bytes(b"SQLite format 3\0 and more")
    for url in ("sqlite:///new.db", "sqlite:///there.db", f"sqlite:///{tmp_path}/x.db", f"journal:///{tmp_path}/j"):
        check_storage(url)
    check_storage("sqlite:///there.db", is_there=True)
    with pytest.raises(OptionError, match="one that is there already"):
        check_storage("sqlite:///new.db", is_there=True)
    assert [path.name for path in tmp_path.iterdir()] == ["there.db"]
