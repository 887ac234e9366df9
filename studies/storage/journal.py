"""Optuna's journal in a file, whose lines are whole even after a full disk or a process that was killed."""

from __future__ import annotations

import json
import os
from typing import Any

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file


class WholeJournal(JournalFileBackend):
    """A journal that takes back what it could write only half of.

    Optuna's own leaves half a line, and the next process appends its own line to it: then nobody can read the file.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append operations, all or none.

        Raises:
            OSError: the file cannot be written.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with get_lock_file(self._lock), open(self._file_path, "r+b") as file:
            end = _end_of_lines(file)
            try:
                file.seek(end)
                file.truncate()
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                os.ftruncate(file.fileno(), end)
                raise


def _end_of_lines(file: Any) -> int:
    """Where the last whole line ends."""
    end = size = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return int(start + newline + 1)
        end = start
    return min(end, size)
