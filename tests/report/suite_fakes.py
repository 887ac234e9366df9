"""Made-up but plausible comparisons of many strategies with everything a record can hold, on several data sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nas_fusion.architecture import Architecture
from nas_fusion.design import FusionDesign
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report import ReportModel, report_model
from tests.report.report_fakes import (
    architecture_details,
    cell,
    comparison_info,
    measured,
    open_design,
    random_design,
    stacked_design,
    trace,
)

MODELS = ("FNN", "IPNN", "DeepFM", "DCN", "DCNv2-stacked", "DCNv2-parallel", "xDeepFM", "EDCN", "WideDeep", "FinalMLP")
ONE_SHOT = ("optfusion-hard", "optfusion-soft", "optfusion-improved", "darts", "gumbel-darts", "random-oneshot")
MULTI_TRIAL = ("random", "evolution", "tpe", "regularised-evolution", "local-search")
OWN_SPACE = ("autoctr-like", "nasrec-like")
SOFT, OWNER = "optfusion-soft", "optfusion-hard"
DATA = {"frappe": 0.981, "ml100k": 0.812, "kdd12-sample": 0.745}


def kinds() -> dict[str, str]:
    """Every strategy with its kind: 25."""
    found = dict.fromkeys(ONE_SHOT, "one-shot") | dict.fromkeys((*MULTI_TRIAL, *OWN_SPACE), "multi-trial")
    return found | dict.fromkeys(("stacked", "parallel", *MODELS), "reference")


def _found(strategy: str, number: int, seed: int) -> Any:
    if strategy in MODELS:
        return Architecture.build(strategy, {"hidden": [400, 400, 400], "dropout": 0.2, "low_rank": {"rank": 32}})
    if strategy in OWN_SPACE:
        settings = {"blocks": [{"kind": "mlp", "inputs": [0, seed % 2]}, {"kind": "fm", "inputs": [0, 1]}]}
        return Architecture.build(strategy, settings, f"mlp(0, {seed % 2}) → fm(0, 1) → output")
    if strategy in ("stacked", "parallel"):
        return stacked_design(3) if strategy == "stacked" else open_design(3)
    return random_design(3, seed + 10 * number, 0.45)


def _details(strategy: str, kind: str, design: Any, level: float, salt: int) -> dict[str, Any]:
    rng = np.random.default_rng(salt)
    details: dict[str, Any] = {}
    if kind == "one-shot":
        details = {**architecture_details(3, salt, 8), "derived_valid_auc": level - 0.01 - 0.01 * rng.random()}
    if isinstance(design, FusionDesign) and kind != "reference":
        details["importance"] = {
            f"{s} -> {t}": float(rng.gamma(1, 0.004) - 0.001) for s, t in design.pruned().connections
        }
    if strategy in ("tpe", OWNER):
        details["tuning"] = {"seconds": 812.5, "samples": 5_050_675, "values": {"lr": 0.001}}
    return details


def _one(strategy: str, kind: str, number: int, seed: int, base: float) -> CellRecord:
    salt = 1000 * number + seed
    rng = np.random.default_rng(salt)
    level = base - 0.0011 * (number % 9) + float(rng.normal(0, 0.0006))
    search_number = list(kinds()).index(OWNER) if strategy == SOFT else number
    design = _found(strategy, search_number, seed)
    size = 61_234 + 9_000.0 * number + 2_000 * rng.random()
    changes: dict[str, Any] = {}
    if kind != "reference":
        points = trace(salt, level - 0.003, 8 if kind == "one-shot" else 14, 40.0 + 3 * number, 1_010_135)
        changes = {
            "trace": tuple(replace(p, test_auc=p.valid_auc - 0.001) for p in points),
            "search_valid_auc": max(p.valid_auc for p in points),
            "search_seconds": 40.0 + 3 * number,
            "search_samples": 1_010_135,
            "candidates": 1 if kind == "one-shot" else 14,
        }
    return cell(
        strategy,
        seed,
        kind,
        design=design,
        mode="soft" if strategy == SOFT else "hard",
        shares_search_with=OWNER if strategy == SOFT else None,
        valid_auc=level + 0.0012,
        valid_logloss=1.14 - level,
        test_auc=level + float(rng.normal(0, 0.0003)),
        test_logloss=1.15 - level,
        retrain_seconds=17.0 + 5 * float(rng.random()),
        retrain_samples=2_020_270,
        parameters=int(size),
        cost={
            "multiply_adds": size * 1.7,
            "latency_ms_1": 0.2 + 0.02 * number,
            "latency_ms_4096": 4.0 + 0.9 * ((number * 7) % 11),
            "training_rows_per_second": 250_000.0 - 6_000 * number,
        },
        details=_details(strategy, kind, design, level, salt),
        **changes,
    )


def large_comparison(data: str = "frappe", seeds: int = 5, **changes: Any) -> tuple[list[CellRecord], ComparisonInfo]:
    """25 strategies on one data set."""
    base = DATA[data]
    shift = list(DATA).index(data) * 4
    records = [
        measured(_one(strategy, kind, (number * 7 + shift) % 25, seed, base), bias=0.02 * (number % 4 - 1))
        for number, (strategy, kind) in enumerate(kinds().items())
        for seed in range(seeds)
    ]
    return records, comparison_info(data=data, seeds=tuple(range(seeds)), **changes)


def suite(seeds: int = 5) -> list[ReportModel]:
    """The reports on the same strategies on three data sets."""
    return [report_model(*large_comparison(data, seeds)) for data in DATA]
