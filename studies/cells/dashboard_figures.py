"""Whether a model that was just trained knows anything: what dashboards are told before other cells have ended."""

from __future__ import annotations

from nas_fusion.data import EncodedDataset
from nas_fusion.report import AT_CHANCE, Margins
from nas_fusion.studies.setup.conditions import data_facts


def chance_figure(dataset: EncodedDataset, valid_auc: float, test_auc: float) -> dict[str, float]:
    """``{"at_chance": 1.0}`` where both AUCs lie within the noise of .5, else 0.0."""
    facts = data_facts(dataset)
    return {AT_CHANCE: float(Margins.of(facts["rows"], facts["label_rate"]).hold(valid_auc, test_auc))}


def retraining_figures(
    dataset: EncodedDataset, valid_auc: float, test_auc: float, test_logloss: float
) -> dict[str, float]:
    """What dashboards are told of a re-training beside its validation AUC."""
    return {"test_auc": test_auc, "test_logloss": test_logloss, **chance_figure(dataset, valid_auc, test_auc)}
