"""Planted logs: the same for a seed, from the network that they name, and as good as they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from nas_fusion.data import TEACHERS, PlantedLog, at_levels, planted_truth, prepare
from nas_fusion.data.planted import TeacherNetwork, expected_auc, planted_auc
from nas_fusion.data.planted.teacher_network import FloatArray, IntArray
from nas_fusion.design import OUTPUT, Connection, FusionDesign, block_names, candidate_sources, fused_blocks
from nas_fusion.errors import OptionError
from tests.command_process import CommandProcess
from tests.oracle import Formulas

LEAST_LOSS = 0.03
"""What every change costs at least; over seeds, trained models are apart by a tenth of it."""


def drawn(log: PlantedLog) -> tuple[IntArray, IntArray, FloatArray]:
    ids, clicks, probabilities = zip(*log.blocks(), strict=True)
    return np.concatenate(ids), np.concatenate(clicks), np.concatenate(probabilities)


def by_formulas(
    network: TeacherNetwork, ids: IntArray, closed: Connection | None = None, changed: dict[str, str] | None = None
) -> FloatArray:
    """The teacher's logits by the plain oracle, one connection closed by its gate, or some operations changed."""
    design, width = network.design, network.weights["embedding.table.weight"].shape[1] * len(network.sizes)
    weights = {f"network.{name}": torch.from_numpy(value) for name, value in network.weights.items()}
    for block in block_names(design.levels)[1:-1]:  # the oracle computes blocks that nobody reads, too
        zeros = torch.zeros(width, width, dtype=torch.float64)
        kind = "weight" if block.startswith("cross") else "linear"
        weights.setdefault(f"network.blocks.{block}.{kind}.weight", zeros[: 1 if kind == "weight" else None])
        bias = f"network.blocks.{block}." + ("bias" if kind == "weight" else "linear.bias")
        weights.setdefault(bias, zeros[0])
    opened = set(design.connections) - {closed}
    gates = {
        block: torch.tensor([float((s, block) in opened) for s in candidate_sources(block, design.levels)]).double()
        for block in block_names(design.levels)[1:]
    }
    one = torch.tensor(1.0, dtype=torch.float64)
    names = {"product": "product_of_open"}
    mixtures = {block: {names.get(o, o): one} for block, o in {**dict(design.operations), **(changed or {})}.items()}
    formulas = Formulas(weights, design.levels, network.sizes)
    return formulas.logits(torch.from_numpy(ids), gates, mixtures).numpy()


@pytest.mark.parametrize("teacher", TEACHERS)
def test_the_network_computes_the_formulas(teacher: str) -> None:
    log = PlantedLog(teacher, rows=300, seed=2)
    ids = drawn(log)[0]
    for closed in (None, *log.design.connections):
        found = log.network.logits(ids, [] if closed is None else [closed])
        np.testing.assert_allclose(found, by_formulas(log.network, ids, closed), atol=1e-10)
    residual = {OUTPUT: "residual-product"}
    found = log.network.logits(ids, operations=residual)
    np.testing.assert_allclose(found, by_formulas(log.network, ids, changed=residual), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("teacher", TEACHERS)
def test_every_connection_and_operation_matters(teacher: str) -> None:
    log = PlantedLog(teacher)
    truth = planted_truth(log)
    told = {change.what: change for change in truth.changes}
    assert {f"{s} -> {t} closed" for s, t in log.design.connections} <= set(told)
    assert min(change.loss for change in truth.changes) > LEAST_LOSS
    ids, probabilities = log.truth_rows()
    source, target = log.design.connections[0]
    scores = by_formulas(log.network, ids, (source, target))
    change = told[f"{source} -> {target} closed"]
    assert change.auc == pytest.approx(expected_auc(scores, probabilities), abs=1e-9)
    assert change.auc + change.loss == pytest.approx(truth.attainable_auc, abs=1e-12)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_attainable_auc_is_that_of_drawn_clicks(noise: float) -> None:
    log = PlantedLog(rows=100_000, noise=noise)
    _, clicks, probabilities = drawn(log)
    assert planted_auc(log) == pytest.approx(roc_auc_score(clicks, probabilities), abs=0.005)


def test_noise_makes_it_smaller() -> None:
    aucs = [planted_auc(PlantedLog(noise=noise)) for noise in (0.0, 0.2, 0.5)]
    assert aucs == sorted(aucs, reverse=True)
    assert 0.84 < aucs[0] < 0.89


def test_expected_auc_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    scores, p = rng.integers(0, 5, 40).astype(float), rng.random(40)
    higher = (scores[:, None] > scores) + (scores[:, None] == scores) / 2
    weight = p[:, None] * (1 - p)
    assert expected_auc(scores, p) == pytest.approx((higher * weight).sum() / weight.sum(), abs=1e-12)


def test_same_seed_same_log() -> None:
    one, again, other = (drawn(PlantedLog(rows=2000, seed=seed)) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_a_shorter_log_begins_a_longer_one() -> None:
    long, short = drawn(PlantedLog(rows=20_000)), drawn(PlantedLog(rows=17_000))
    assert all(np.array_equal(a[:17_000], b) for a, b in zip(long, short, strict=True))


@pytest.mark.slow
def test_same_log_in_a_fresh_process(tmp_path: Path) -> None:
    code = "from nas_fusion.data import PlantedLog\nprint([p.tolist() for *_, p in PlantedLog(rows=999).blocks()])"
    fresh = CommandProcess([], tmp_path, code=code)
    assert fresh.wait() == 0, fresh.said()
    assert json.loads(fresh.stdout) == [p.tolist() for *_, p in PlantedLog(rows=999).blocks()]


def test_the_log_is_split_as_any_other(cache: Path) -> None:
    data = prepare("synthetic:planted:product:rows=5000:seed=3", cache=cache)
    _, clicks, probabilities = drawn(PlantedLog("product", rows=5000, seed=3))
    codes = np.repeat([0, 1, 2], [4000, 500, 500]).astype(np.int8)
    np.random.default_rng(2025).shuffle(codes)
    np.testing.assert_array_equal(data.test.labels, clicks[codes == 2])
    found = roc_auc_score(clicks[codes == 2], probabilities[codes == 2])
    assert data.attainable_auc == pytest.approx(found, abs=1e-6)
    assert [f.name for f in data.schema.fields] == [f"field{i}" for i in range(1, 9)]


def test_the_reading_plan_tells_the_teacher(cache: Path) -> None:
    told: list[str] = []
    prepare("synthetic:planted:deep:rows=500", cache=cache, planned=told.extend)
    log = PlantedLog("deep", rows=500)
    assert str(log.design) in told[0]
    assert f"attainable AUC {planted_truth(log).attainable_auc:.3f}" in told[0]


def test_ids_follow_zipf() -> None:
    ids = drawn(PlantedLog(rows=40_000, zipf=1.5))[0]
    counts = np.bincount(ids[:, 3])
    assert counts[0] / counts[3] == pytest.approx(4**1.5, rel=0.1)


def test_names() -> None:
    assert PlantedLog.named("synthetic:planted") == PlantedLog()
    asked = PlantedLog.named("synthetic:planted:deep:rows=7:seed=4:noise=0.25:zipf=0")
    assert asked == PlantedLog("deep", 7, 4, 0.25, 0.0)
    assert PlantedLog.named("synthetic:planted:noise=.5") == PlantedLog(noise=0.5)


@pytest.mark.parametrize("ending", ["nobody", "product:5", "rows=0", "noise=1", "rows=5:rows=6", "teacher=", "", "x=1"])
def test_other_names_are_refused(ending: str) -> None:
    with pytest.raises(OptionError, match="synthetic:planted"):
        PlantedLog.named(f"synthetic:planted:{ending}")


def test_designs_at_other_levels() -> None:
    design = FusionDesign.build(3, [("embedding", "deep1"), ("deep1", "output")], "product")
    lower = at_levels(design, 1)
    assert lower.levels == 1
    assert at_levels(lower, 3) == design.pruned().__class__.build(
        3, design.connections, {**dict.fromkeys(fused_blocks(3), "add"), "deep1": "product", "output": "product"}
    )
    with pytest.raises(OptionError, match="at least 3"):
        at_levels(TEACHERS["product"].design, 2)
