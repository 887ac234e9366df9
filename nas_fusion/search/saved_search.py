"""The outcome of a search in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas_fusion.architecture import found_from_json
from nas_fusion.design import FusionDesign
from nas_fusion.errors import DamagedFileError
from nas_fusion.records import TracePoint
from nas_fusion.search.outcome import SearchOutcome
from nas_fusion.search_spaces import Scores
from nas_fusion.strategy.abilities import SoftStart
from nas_fusion.system.files import load_tensors, new_folder, save_tensors, write_text
from nas_fusion.system.seals import check_file, read_sealed, seal_of_file, sealed

FORMAT_VERSION = 2
_OUTCOME, _WEIGHTS = "outcome.json", "supernet.pt"


def save_search(folder: Path, outcome: SearchOutcome) -> None:
    """Keep a search that ended.

    Raises:
        StudyError: the folder cannot be written.
    """
    content = {
        "design": json.loads(outcome.design.to_json()),
        "valid_auc": outcome.valid_auc,
        "trace": [asdict(point) for point in outcome.trace],
        "samples": outcome.samples,
        "seconds": outcome.seconds,
        "candidates": outcome.candidates,
        "mixture": outcome.soft.mixture if outcome.soft else None,
        "details": outcome.details,
        "derive_samples": outcome.derive_samples,
        "derive_seconds": outcome.derive_seconds,
        "measure_samples": outcome.measure_samples,
        "measure_seconds": outcome.measure_seconds,
        "alternatives": [json.loads(design.to_json()) for design in outcome.alternatives],
        "scores": None if outcome.scores is None else _plain_scores(outcome.scores),
        "provenance": dict(outcome.provenance),
    }
    with new_folder(folder) as temporary:
        if outcome.soft:
            save_tensors(temporary / _WEIGHTS, outcome.soft.weights)
            content["weights"] = seal_of_file(temporary / _WEIGHTS)
        write_text(temporary / _OUTCOME, sealed({"format": FORMAT_VERSION, **content}))


def load_search(folder: Path) -> SearchOutcome | None:
    """A search that ended earlier, or None.

    Raises:
        DamagedFileError: a file of it is missing, cannot be read, or was changed, or it is of another version.
    """
    if not folder.exists():
        return None
    content = read_sealed(folder / _OUTCOME)
    version = content.pop("format", None)
    if version != FORMAT_VERSION:
        raise DamagedFileError(folder / _OUTCOME, f"format must be {FORMAT_VERSION}, got {version!r}")
    try:
        mixture, seal = content.pop("mixture"), content.pop("weights", None)
        content["design"] = found_from_json(json.dumps(content["design"]))
        content["trace"] = tuple(TracePoint(**point) for point in content["trace"])
        content["alternatives"] = tuple(
            FusionDesign.from_json(json.dumps(design)) for design in content.get("alternatives", ())
        )
        scores = content.pop("scores", None)
        content["scores"] = None if scores is None else _read_scores(scores)
        if mixture is None:
            return SearchOutcome(**content)
        check_file(folder / _WEIGHTS, seal)
        return SearchOutcome(soft=SoftStart(load_tensors(folder / _WEIGHTS), mixture), **content)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(folder / _OUTCOME, f"damaged: not the outcome of a search ({error})") from error


def _plain_scores(scores: Scores) -> dict[str, Any]:
    connections = [[source, target, score] for (source, target), score in scores.connections.items()]
    choices = {"operations": scores.operations, "variants": scores.variants}
    return {"connections": connections, **{n: {b: dict(s) for b, s in given.items()} for n, given in choices.items()}}


def _read_scores(content: dict[str, Any]) -> Scores:
    return Scores(
        {(s, t): score for s, t, score in content["connections"]}, content["operations"], content.get("variants", {})
    )
