"""What takes time in nearly every study of the tests, and is not what any of them is about."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable
from typing import Any

ROUND_SECONDS = 0.002
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""As `nasfusion` has it for itself."""


def look_ahead_briefly(patch: Callable[[Any, str, Any], None] = setattr) -> None:
    """Shorten what `nasfusion` times before it begins, for a line that says about how long all will take.

    Args:
        patch: sets an attribute of something, as `setattr` does.
    """
    from nas_fusion.studies.timing import foresight

    patch(foresight, "FEWEST_SECONDS", 0.0)


def seldom_look_for_garbage() -> None:
    """A sixth of the time in which torch, Lightning and NNI are imported is otherwise a search for it."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def shorten(patch: Callable[[Any, str, Any], None] = setattr) -> None:
    """Shorten it in this process.

    Every cell measures its model's latency, whose digits matter to nobody here. SQLite waits for the disk after each of
    a hundred commits of a study, which only a power cut would undo; a process that is killed loses nothing. Optuna
    reads the history of its tables, thirty modules, for each new file.

    Args:
        patch: sets an attribute of something, as `setattr` does.
    """
    from optuna.storages._rdb.storage import _VersionManager
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    from nas_fusion.measures import latency

    patch(latency, "ROUND_SECONDS", ROUND_SECONDS)
    patch(latency, "ROUNDS", 1)
    patch(_VersionManager, "_create_alembic_script", _once(_VersionManager._create_alembic_script))
    event.listen(Engine, "connect", _do_not_wait)


def _once(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The first answer, whoever asks."""
    answers: list[Any] = []

    def answer(asked: Any) -> Any:
        if not answers:
            answers.append(call(asked))
        return answers[0]

    return answer


def _do_not_wait(connection: Any, record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
