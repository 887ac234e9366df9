"""What dashboards are told of a cell as soon as it is trained, before the others have ended."""

from __future__ import annotations

from nas_fusion.data import EncodedDataset
from nas_fusion.records import CellRecord
from nas_fusion.report import AT_CHANCE, Margins
from nas_fusion.studies.setup.conditions import data_facts
from nas_fusion.training_log import LabelledLog, TrainingLog


def chance_figure(dataset: EncodedDataset, valid_auc: float, test_auc: float) -> dict[str, float]:
    """``{"at_chance": 1.0}`` where both AUCs lie within the noise of .5, else 0.0."""
    facts = data_facts(dataset)
    return {AT_CHANCE: float(Margins.of(facts["rows"], facts["label_rate"]).hold(valid_auc, test_auc))}


def retraining_figures(
    dataset: EncodedDataset, valid_auc: float, test_auc: float, test_logloss: float
) -> dict[str, float]:
    """What dashboards are told of a re-training in addition to its validation AUC."""
    return {"test_auc": test_auc, "test_logloss": test_logloss, **chance_figure(dataset, valid_auc, test_auc)}


def replay(record: CellRecord, log: TrainingLog, dataset: EncodedDataset) -> None:
    """Tell a log of a cell that another process computed."""
    labels = LabelledLog(log, {"strategy": record.strategy, "seed": record.seed})
    if record.kind == "one-shot" and record.shares_search_with is None:
        with labels.training("search", record.design) as training:
            for point in record.trace:
                training.validated(point.valid_auc)
            training.result(record.search_valid_auc)
    with labels.training("re-train", record.design) as training:
        for point in record.retrain_history:
            training.validated(point.valid_auc)
        figures = retraining_figures(dataset, record.valid_auc, record.test_auc, record.test_logloss)
        training.result(record.valid_auc, **figures)
