"""What a study says of its comparison as a whole: in ``comparison.json``, or, where that is damaged, in its cells."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from nas_fusion.data import EncodedDataset, PlantedLog
from nas_fusion.errors import DamagedFileError, StudyError
from nas_fusion.records import CellRecord, ChosenRecipe, ComparisonInfo
from nas_fusion.search import Budget
from nas_fusion.settings import NO_PART_OF_A_STUDY, ComparisonSettings, is_planted
from nas_fusion.studies.recipe.recipe_file import kept_recipe
from nas_fusion.studies.recipe.swept_values import SweptValues
from nas_fusion.studies.setup.conditions import data_facts, versions
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.setup.study_space import block_width
from nas_fusion.system.files import read_text, write_text

logger = logging.getLogger("nas_fusion")


def comparison_info(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    command: str | None,
    reference: str | None = None,
    recipe: ChosenRecipe | None = None,
) -> ComparisonInfo:
    """What the table and the report say about the comparison as a whole.

    Args:
        settings: with what a sweep has chosen, if there was one.
        dataset: the encoded log.
        command: the command that repeats the comparison.
        reference: the strategy with which the others are compared, if one was named.
        recipe: what the sweep has chosen, and what it has cost.
    """
    return _info(settings, data_facts(dataset), command=command, reference=reference, recipe=recipe)


def read_info(study: StudyFolder) -> ComparisonInfo | None:
    """What ``comparison.json`` says; None if there is none.

    Raises:
        DamagedFileError: it cannot be read, or was changed.
    """
    if not study.comparison.exists():
        return None
    try:
        return ComparisonInfo.from_json(read_text(study.comparison))
    except DamagedFileError:
        raise
    except StudyError as error:
        raise DamagedFileError(study.comparison, error) from error


def known_info(study: StudyFolder) -> ComparisonInfo | None:
    """What ``comparison.json`` says; None, with a warning, if it is damaged."""
    try:
        return read_info(study)
    except DamagedFileError as error:
        logger.warning("%s: it is made anew", error)
        return None


def info_from_cells(study: StudyFolder, settings: ComparisonSettings, records: Sequence[CellRecord]) -> ComparisonInfo:
    """Make ``comparison.json`` anew from the settings and what the cells say of their data.

    Which reference was named before there were results, and by which command, only that file knew.

    Raises:
        StudyError: there is no cell that says what its data were.
    """
    data = next((record.provenance["data"] for record in records if "data" in record.provenance), None)
    if data is None:
        raise StudyError(f"{study.comparison} is missing or damaged; the command that made the study writes it anew")
    recipe = kept_recipe(study)
    if recipe is not None:
        settings = SweptValues(settings, recipe.train_rows).apply(recipe.values)
    info = _info(settings, data, named_beforehand=False, recipe=recipe)
    write_text(study.comparison, info.to_json() + "\n")
    logger.warning(
        "%s is made anew from the cells; which reference was named beforehand, and the command, is not known any more",
        study.comparison,
    )
    return info


def budget_words(budget: Budget) -> str:
    """A budget for the table and the report, with what a reader has to know about it."""
    words = f"{budget}, per strategy and seed"
    return words if budget.is_repeatable else f"{words} (by the clock: the same comparison again would differ)"


def _info(settings: ComparisonSettings, data: Mapping[str, Any], **more: Any) -> ComparisonInfo:
    train, valid, test = data["rows"]
    budget = Budget.parse(settings.budget, train)
    content = {name: value for name, value in settings.to_dict().items() if name not in NO_PART_OF_A_STUDY}
    content["recipe"]["batch_size"] = settings.batch_size(train)
    content["model"]["emb_dim"] = settings.emb_dim
    content["model"]["block_width"] = str(block_width(settings, data["fields"], train))
    content["candidates"] = budget.candidates or settings.candidates
    if more.get("recipe") is not None:
        content["recipe"]["choice"] = "auto"
    return ComparisonInfo(
        data=settings.source,
        rows=(train, valid, test),
        fields=data["fields"],
        features=data["features"],
        label_rate=data["label_rate"],
        attainable_auc=data["attainable_auc"],
        budget=budget_words(budget),
        seeds=settings.seeds,
        settings=content,
        versions=versions(),
        teacher=str(PlantedLog.named(settings.source).design) if is_planted(settings.source) else None,
        **more,
    )
