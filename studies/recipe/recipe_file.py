"""``recipe.json``: what a sweep has chosen, so that a study goes on, and is repeated, by the same recipe."""

from __future__ import annotations

import logging
from dataclasses import asdict

from nas_fusion.errors import DamagedFileError
from nas_fusion.records import ChosenRecipe
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import write_text
from nas_fusion.system.seals import read_sealed, sealed

FORMAT_VERSION = 1
AGAIN = "the command that made the study writes it anew"

logger = logging.getLogger("nas_fusion")


def read_recipe(study: StudyFolder) -> ChosenRecipe | None:
    """What the study's sweep has chosen; None where the file is not there.

    Raises:
        DamagedFileError: it cannot be read, was changed, or is of another version.
    """
    if not study.recipe.exists():
        return None
    content = read_sealed(study.recipe, AGAIN)
    if content.pop("format", None) != FORMAT_VERSION:
        raise DamagedFileError(study.recipe, f"format must be {FORMAT_VERSION}", AGAIN)
    try:
        return ChosenRecipe.from_dict(content)
    except (KeyError, TypeError) as error:
        raise DamagedFileError(study.recipe, f"damaged: not what a sweep has chosen: {error}", AGAIN) from error


def kept_recipe(study: StudyFolder) -> ChosenRecipe | None:
    """What the study's sweep has chosen; None where the file is not there, or, with a warning, damaged."""
    try:
        return read_recipe(study)
    except DamagedFileError as error:
        logger.warning("%s", error)
        return None


def keep_recipe(study: StudyFolder, recipe: ChosenRecipe) -> None:
    """Write what was chosen, unless it is there.

    Raises:
        WriteError: it cannot be written.
    """
    if kept_recipe(study) != recipe:
        write_text(study.recipe, sealed({"format": FORMAT_VERSION, **asdict(recipe)}) + "\n")
