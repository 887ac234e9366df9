"""Made-up but plausible records of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from nas_fusion.design import (
    OPERATIONS,
    FusionDesign,
    block_names,
    candidate_connections,
    connection_label,
    fused_blocks,
)
from nas_fusion.records import CellRecord, ComparisonInfo, ReliabilityBin, TracePoint
from nas_fusion.report import ReportModel, report_model

STRATEGIES = {
    "stacked": ("reference", 0.9712),
    "parallel": ("reference", 0.9788),
    "optfusion-hard": ("one-shot", 0.9832),
    "optfusion-soft": ("one-shot", 0.9829),
    "random": ("multi-trial", 0.9801),
    "evolution": ("multi-trial", 0.9811),
    "tpe": ("multi-trial", 0.9815),
    "darts": ("one-shot", 0.9790),
    "gumbel-darts": ("one-shot", 0.9765),
    "random-oneshot": ("one-shot", 0.9741),
}


def random_design(levels: int, seed: int, density: float = 0.5) -> FusionDesign:
    """A legal design; every connection open with probability `density`."""
    rng = np.random.default_rng(seed)
    while True:
        connections = [c for c in candidate_connections(levels) if rng.random() < density]
        operations = {b: str(rng.choice(OPERATIONS)) for b in fused_blocks(levels)}
        design = FusionDesign.build(levels, connections, operations)
        if design.is_legal:
            return design


def stacked_design(levels: int) -> FusionDesign:
    """Embedding, every deep block after the other, output."""
    chain = ["embedding", *(b for b in block_names(levels) if b.startswith("deep")), "output"]
    return FusionDesign.build(levels, list(pairwise(chain)), "add")


def open_design(levels: int) -> FusionDesign:
    """Every connection open."""
    return FusionDesign.build(levels, candidate_connections(levels), "concat")


def trace(seed: int, top: float, points: int, seconds: float, samples: int) -> tuple[TracePoint, ...]:
    """Validations that climb towards `top`, with noise."""
    rng = np.random.default_rng(seed)
    steps = [(i + 1) / points for i in range(points)]
    return tuple(
        TracePoint(seconds * s, int(samples * s), float(top - 0.08 * math.exp(-4 * s) - 0.004 * rng.random()))
        for s in steps
    )


def architecture_details(levels: int, seed: int, epochs: int = 5) -> dict[str, Any]:
    """Gates and operation weights per epoch, as a one-shot search writes them."""
    rng = np.random.default_rng(seed)
    drift = {connection_label(s, t): rng.normal(-0.1, 0.25) for s, t in candidate_connections(levels)}
    lean = {b: rng.normal(0, 0.6, len(OPERATIONS)) for b in fused_blocks(levels)}
    gates = [{k: float(0.5 + d * e) for k, d in drift.items()} for e in range(epochs + 1)]
    operations = []
    for e in range(epochs + 1):
        weights = {b: np.exp(v * e) / np.exp(v * e).sum() for b, v in lean.items()}
        operations.append({b: dict(zip(OPERATIONS, map(float, w), strict=True)) for b, w in weights.items()})
    return {"gates": gates, "operations": operations, "learning_rate": 3e-4}


def cell(strategy: str, seed: int, kind: str = "multi-trial", **changes: Any) -> CellRecord:
    """One record; every number can be changed."""
    reference = kind == "reference"
    values: dict[str, Any] = {
        "strategy": strategy,
        "seed": seed,
        "kind": kind,
        "design": stacked_design(3),
        "mode": "hard",
        "search_valid_auc": None if reference else 0.7,
        "valid_auc": 0.75,
        "valid_logloss": 0.5,
        "test_auc": 0.74,
        "test_logloss": 0.51,
        "search_seconds": 0.0 if reference else 30.0,
        "retrain_seconds": 10.0,
        "search_samples": 0 if reference else 1_000_000,
        "retrain_samples": 400_000,
        "parameters": 123_456,
        "candidates": 0 if reference else 5,
        "trace": () if reference else (TracePoint(15.0, 500_000, 0.65), TracePoint(30.0, 1_000_000, 0.7)),
        "retrain_history": (TracePoint(5.0, 200_000, 0.72), TracePoint(10.0, 400_000, 0.75)),
    }
    return CellRecord(**{**values, **changes})


def _shape(strategy: str, kind: str, seed: int, base: float) -> dict[str, Any]:
    if kind == "reference":
        return {"design": stacked_design(3) if strategy == "stacked" else open_design(3)}
    number = list(STRATEGIES).index(strategy)
    one_shot = kind == "one-shot"
    shared = strategy == "optfusion-soft"
    salt = seed + (2 if shared else number) * 100
    spent = 41.0 + number * 3.7 + seed
    changes: dict[str, Any] = {
        "design": random_design(3, salt, 0.35 + 0.03 * number),
        "trace": trace(salt, base - 0.002 * one_shot, 5 if one_shot else 14, spent, 1_010_135),
        "search_seconds": spent,
        "search_samples": 1_010_135,
        "search_valid_auc": base,
        "candidates": 1 if one_shot else 14,
        "mode": "soft" if shared else "hard",
        "shares_search_with": "optfusion-hard" if shared else None,
    }
    if strategy.startswith("optfusion"):
        changes["details"] = architecture_details(3, salt)
    return changes


def measured(record: CellRecord, bias: float = 0.0) -> CellRecord:
    """The record with all that is measured of test predictions beside AUC and logloss; `bias`: of every prediction."""
    rng = np.random.default_rng([record.seed, len(record.strategy)])
    predicted = np.linspace(0.02, 0.9, 15)
    observed = np.clip(predicted - bias + rng.normal(0, 0.01, 15), 0, 1)
    bins = (ReliabilityBin(float(p), float(y), 1924.0) for p, y in zip(predicted, observed, strict=True))
    told = {
        "normalised_entropy": record.test_logloss / 0.6366,
        "calibration_ratio": 1 + bias,
        "calibration_error": abs(bias) + 0.008,
        "pr_auc": record.test_auc - 0.02,
        "gauc": record.test_auc - 0.05,
    }
    return replace(record, test_metrics=told, reliability=tuple(bins))


def comparison_records(seeds: tuple[int, ...] = (0, 1, 2)) -> list[CellRecord]:
    """A whole comparison: ten strategies."""
    rng = np.random.default_rng(7)
    records = []
    for strategy, (kind, base) in STRATEGIES.items():
        for seed in seeds:
            level = base + float(rng.normal(0, 0.0006))
            records.append(
                cell(
                    strategy,
                    seed,
                    kind,
                    valid_auc=level + 0.0012,
                    valid_logloss=1.14 - level,
                    test_auc=level + float(rng.normal(0, 0.0003)),
                    test_logloss=1.15 - level,
                    retrain_seconds=17.0 + 5 * float(rng.random()),
                    retrain_samples=2_020_270,
                    parameters=int(61_234 + 90_000 * rng.random()),
                    **_shape(strategy, kind, seed, level),
                )
            )
    return records


def comparison_info(**changes: Any) -> ComparisonInfo:
    """The comparison that `comparison_records` made up."""
    values: dict[str, Any] = {
        "data": "frappe.parquet",
        "rows": (202_027, 57_722, 28_860),
        "fields": 10,
        "features": 5_382,
        "label_rate": 0.3341,
        "attainable_auc": None,
        "budget": "5 passes over the training rows (1,010,135 samples)",
        "seeds": (0, 1, 2),
        "settings": {
            "levels": 3,
            "model": {"emb_dim": 10, "deep": {"batch_norm": True}},
            "device": "cpu",
            "split": [8, 1, 1],
        },
        "versions": {"nas-fusion": "0.1.0", "torch": "2.9.0", "nni": "3.0", "python": "3.11.9"},
        "command": "nasfusion compare --strategies all --data frappe.parquet --label label --split-column split",
    }
    return ComparisonInfo(**{**values, **changes})


def comparison_model(records: Sequence[CellRecord] | None = None, **changes: Any) -> ReportModel:
    """The report on these records, or on those that `comparison_records` makes up."""
    return report_model(comparison_records() if records is None else records, comparison_info(**changes))


def cells(strategy: str, valid: Sequence[float], test: Sequence[float], kind: str = "multi-trial") -> list[CellRecord]:
    """One record per pair of AUCs, seeds 0, 1, …"""
    pairs = enumerate(zip(valid, test, strict=True))
    return [cell(strategy, seed, kind, valid_auc=v, test_auc=t) for seed, (v, t) in pairs]
