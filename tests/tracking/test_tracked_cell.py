"""What a tracker is told of a cell: what it is, its curves and its final figures, in plain values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from nas_fusion.design import FusionDesign
from nas_fusion.records import CellRecord
from nas_fusion.tracking import TrackedCell
from tests.report.report_fakes import cell

CONTEXT = {"model": {"levels": 3, "emb_dim": 8}, "recipe": {"learning_rate": 0.01}}


def tracked(record: CellRecord) -> TrackedCell:
    return TrackedCell(record, Path("cells/random-4"), 1_000.0)


def test_parameters_say_what_the_cell_is() -> None:
    found = tracked(cell("random", 4, details={"context": CONTEXT})).parameters
    design = found.pop("design")
    assert found == {
        "strategy": "random",
        "seed": 4,
        "mode": "hard",
        "model.levels": 3,
        "model.emb_dim": 8,
        "recipe.learning_rate": 0.01,
    }
    assert FusionDesign.from_json(str(design)) == cell("random", 4).design
    assert "\n" not in str(design)


def test_figures_are_the_record_s() -> None:
    record = cell("random", 4, cost={"multiply_adds": 12.0}, test_metrics={"pr_auc": 0.3}, valid_gauc=0.6)
    assert tracked(record).figures == {
        "valid_auc": 0.75,
        "valid_logloss": 0.5,
        "test_auc": 0.74,
        "test_logloss": 0.51,
        "search_seconds": 30.0,
        "retrain_seconds": 10.0,
        "parameters": 123_456.0,
        "valid_gauc": 0.6,
        "test_pr_auc": 0.3,
        "cost.multiply_adds": 12.0,
    }


def test_curves_have_a_step_per_validation() -> None:
    assert tracked(cell("random", 4)).curves == {
        "search": ((1, 15.0, 0.65), (2, 30.0, 0.7)),
        "retrain": ((1, 5.0, 0.72), (2, 10.0, 0.75)),
    }
    assert set(tracked(cell("stacked", 4, kind="reference")).curves) == {"retrain"}


def test_tags_leave_out_what_is_not_known() -> None:
    record = cell("random", 4, provenance={"device": "cpu", "versions": {"nas-fusion": "0.1.0"}})
    assert tracked(record).tags == {"kind": "multi-trial", "device": "cpu", "version": "0.1.0"}
    assert tracked(cell("random", 4)).tags == {"kind": "multi-trial"}


def test_a_cell_has_another_identifier_when_anything_of_it_changes() -> None:
    record = cell("random", 4)
    again = CellRecord.from_json(json.dumps(json.loads(record.to_json())))
    assert tracked(record).identifier == tracked(again).identifier
    assert tracked(record).identifier != tracked(replace(record, retrain_seconds=10.1)).identifier
