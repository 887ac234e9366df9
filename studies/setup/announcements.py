"""What a study's storage says of the study, so that workers need no settings of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import BaseStorage

from nas_fusion.errors import StudyError
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.study_toml import complete, differences
from nas_fusion.studies.setup.strangers import plain_name
from nas_fusion.studies.storage.optuna_storage import open_study
from nas_fusion.training.threads import current_rule

_SETTINGS, _FINGERPRINT, _PURPOSE, _THREADS = "settings", "fingerprint", "purpose", "threads"
COMPARISON, TUNING = "comparison", "tuning"


def tuning_name(study: str, strategy: str) -> str:
    """What a strategy's tuning is called in the storage."""
    return f"{study} / tuning of {strategy}"


def announce(study: optuna.Study, settings: ComparisonSettings, fingerprint: str, purpose: str = COMPARISON) -> None:
    """Put the settings into the storage, and the rule for threads that this process follows (`current_rule`).

    Raises:
        StudyError: a study of this name is there with other settings or data.
    """
    known = study.user_attrs
    if _SETTINGS in known:
        found = differences(settings.to_dict(), complete(known[_SETTINGS]))
        if not found and known[_FINGERPRINT] != fingerprint:
            found = ["the log's content"]
        if found:
            raise StudyError(
                f"the storage has a study {study.study_name!r} with other settings; choose another --study. "
                f"Different: {'; '.join(found)}"
            )
    study.set_user_attr(_SETTINGS, settings.to_dict())
    study.set_user_attr(_FINGERPRINT, fingerprint)
    study.set_user_attr(_PURPOSE, purpose)
    rule = current_rule()
    study.set_user_attr(_THREADS, None if rule is None else rule.to_dict())


@dataclass(frozen=True)
class Announced:
    """A study that somebody has announced in a storage.

    Args:
        name: of the study.
        settings: all of it.
        fingerprint: of the encoded data.
        purpose: `COMPARISON`, or `TUNING` without cells.
        threads: the rule by which trainings take several threads (`ThreadRule.to_dict`); None: all take all.
    """

    name: str
    settings: ComparisonSettings
    fingerprint: str
    purpose: str
    threads: Mapping[str, Any] | None = None


def find_all_announced(storage: BaseStorage, name: str) -> list[Announced]:
    """What was announced under a name: one study, or those of a comparison on several logs, in their order.

    Raises:
        StudyError: there is no such study, or it was not made by nas-fusion.
    """
    summaries = optuna.get_all_study_summaries(storage)
    comparisons = [s.study_name for s in summaries if s.user_attrs.get(_PURPOSE) == COMPARISON]
    parts = [part for part in comparisons if part.startswith(f"{name}/")]
    return [find_announced(storage, part) for part in ([name] if name in comparisons else parts or [name])]


def find_announced(storage: BaseStorage, name: str) -> Announced:
    """What was announced under a name.

    Raises:
        StudyError: there is no such study, or it was not made by nas-fusion, or its name would lead out of a folder.
    """
    try:
        for part in name.split("/"):
            plain_name(part)
    except ValueError as error:
        raise StudyError(f"study {name!r}: {error}") from error
    known = [summary.study_name for summary in optuna.get_all_study_summaries(storage)]
    tunings = [other for other in sorted(known) if other.startswith(tuning_name(name, ""))]
    study = open_study(storage, name if name in known or not tunings else tunings[0], create=False)
    attributes = study.user_attrs
    if _SETTINGS not in attributes:
        raise StudyError(f"study {name!r} in the storage was not made by nas-fusion")
    settings = ComparisonSettings.from_dict(attributes[_SETTINGS])
    return Announced(name, settings, attributes[_FINGERPRINT], attributes[_PURPOSE], attributes.get(_THREADS))
