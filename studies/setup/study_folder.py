"""The study folder: where everything about a comparison lies, and who may write to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas_fusion.errors import DamagedFileError, StudyError
from nas_fusion.settings import SYNTHETIC, ComparisonSettings
from nas_fusion.settings.study_toml import differences, read_settings, write_settings
from nas_fusion.studies.setup.announcements import find_announced
from nas_fusion.studies.setup.strangers import FOLDERS, plain_name, refuse_links
from nas_fusion.studies.storage.optuna_storage import open_storage
from nas_fusion.system.files import LockedError, lock_file, sweep

logger = logging.getLogger("nas_fusion")

EARLIER_LOG = "synthetic:100000"
"""What ``synthetic`` alone meant in studies of before; its rows are drawn as they were."""


def _name(strategy: str, seed: int) -> str:
    try:
        return plain_name(f"{strategy}-{seed}")
    except ValueError as error:
        raise StudyError(f"a strategy's name must be good for a folder: {error}") from error


class StudyFolder:
    """Paths of a study, and the check that it was made with the same settings.

    ``study.toml``: every setting; ``optuna.db``: which cells are done; ``cells/<strategy>-<seed>/``: one folder per
    finished cell, with its model in ``model/``; ``tuned/<strategy>-<seed>/``: a model of `fit`;
    ``best/``: a copy of the best model; ``encoding/``: how rows become ids, which the models share;
    ``failures/<strategy>-<seed>.log``: where the error of a failed cell came from;
    ``searches/<strategy>-<seed>/``: a finished search that several cells share; ``comparison.json``: what the reports
    say about the comparison as a whole; ``results.csv``, ``summary.csv``, ``fronts.csv``, ``report.html``,
    ``report.md``, ``best_model.*`` (whatever made it) and ``best_design.*`` (the best that a search found): the
    outcome; ``log.txt``: what was told and warned of while it ran; ``recipe.json``: the recipe that a sweep has chosen;
    ``latency.json``: what was measured for a limit on latency; ``threads.json``: from how much work on a training takes
    several threads; ``nni/`` and ``artifacts/``: what NNI's web UI and
    Optuna's dashboard show; ``tracked.json``: what trackers know.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.settings = self.path / "study.toml"
        self.database = self.path / "optuna.db"
        self.results = self.path / "results.csv"
        self.summary = self.path / "summary.csv"
        self.fronts = self.path / "fronts.csv"
        self.comparison = self.path / "comparison.json"
        self.report = self.path / "report.html"
        self.report_markdown = self.path / "report.md"
        self.encoding = self.path / "encoding"
        self.best = self.path / "best"
        self.nni = self.path / "nni"
        self.artifacts = self.path / "artifacts"
        self.log = self.path / "log.txt"
        self.latency = self.path / "latency.json"
        self.threads = self.path / "threads.json"
        self.tracked = self.path / "tracked.json"
        self.tuned = self.path / "tuned.json"
        self.recipe = self.path / "recipe.json"
        self.best_model_json = self.path / "best_model.json"
        self.best_model_svg = self.path / "best_model.svg"
        self.best_json = self.path / "best_design.json"
        self.best_svg = self.path / "best_design.svg"

    @property
    def name(self) -> str:
        """The study's name in a storage."""
        return self.path.resolve().name

    @property
    def storage_url(self) -> str:
        """Optuna's storage."""
        return f"sqlite:///{self.database.resolve()}"

    def cell(self, strategy: str, seed: int) -> Path:
        """Folder of a finished cell.

        Raises:
            StudyError: the strategy's name would lead elsewhere.
        """
        return self.path / "cells" / _name(strategy, seed)

    def tuned_cell(self, strategy: str, seed: int) -> Path:
        """Folder of a model that `fit` has trained for good, tuned or of several networks; it looks as a cell's.

        Raises:
            StudyError: the strategy's name would lead elsewhere.
        """
        return self.path / "tuned" / _name(strategy, seed)

    def finished_cells(self) -> int:
        """How many cells have their result in the folder."""
        return sum(1 for _ in self.path.glob("cells/*/cell.json"))

    def search(self, strategy: str, seed: int) -> Path:
        """Folder of a finished search.

        Raises:
            StudyError: the strategy's name would lead elsewhere.
        """
        return self.path / "searches" / _name(strategy, seed)

    def failure(self, name: str) -> Path:
        """Log of a cell or a tuning trial that failed."""
        return self.path / "failures" / f"{name}.log"

    def check_exists(self) -> None:
        """Refuse a folder without a study, and one with links where files of the study should be.

        Raises:
            StudyError: there is no ``study.toml``, or there is such a link.
        """
        if not self.settings.is_file():
            raise StudyError(f"{self.path} holds no study (no study.toml)")
        refuse_links(self.path)

    def check(self, settings: ComparisonSettings, fingerprint: str | None = None) -> None:
        """Refuse a folder that belongs to something else. Writes nothing.

        Args:
            settings: of the study.
            fingerprint: of its log; None where that is not known yet.

        Raises:
            StudyError: the study was made with other settings or other data (says which), or the folder holds
                something that is no study.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise StudyError(f"study folder {self.path} is a file")
        refuse_links(self.path)
        known = self._known_settings()
        if known is None:
            if any(self.path.iterdir()):
                raise StudyError(f"{self.path} is not empty and holds no study (no study.toml); choose another --study")
            return
        theirs, their_fingerprint = known
        found = differences(settings.to_dict(), theirs)
        if not found and fingerprint is not None and their_fingerprint != fingerprint:
            found = [f"the log's content has changed (fingerprint {their_fingerprint[:12]}, now {fingerprint[:12]})"]
            if settings.source == SYNTHETIC:
                found.append(f"the built-in log had other rows in an earlier version: name them, --data {EARLIER_LOG}")
        if found:
            raise StudyError(
                f"{self.path} was made with other settings; choose another --study, or the same settings. "
                f"Different: {'; '.join(found)}"
            )

    def _known_settings(self) -> tuple[dict[str, Any], str] | None:
        """What ``study.toml`` says, or, where it is missing or damaged, the storage in the folder; None without both.

        Raises:
            DamagedFileError: it is damaged, and the storage does not know.
        """
        try:
            return read_settings(self.settings) if self.settings.exists() else self._announced()
        except DamagedFileError:
            found = self._announced()
            if found is None:
                raise
            return found

    def _announced(self) -> tuple[dict[str, Any], str] | None:
        if not self.database.is_file():
            return None
        try:
            study = find_announced(open_storage(self.storage_url), self.name)
        except StudyError:
            return None  # it is no study's, or of another one
        return study.settings.to_dict(), study.fingerprint

    def _write_settings(self, settings: ComparisonSettings, fingerprint: str) -> None:
        """Write ``study.toml`` if it is not there or is damaged; `check` has found that it is the study of these."""
        if self.settings.exists():
            try:
                read_settings(self.settings)
                return
            except DamagedFileError as error:
                logger.warning("%s", error)
        write_settings(settings, self.settings, fingerprint)

    def join(self, settings: ComparisonSettings, fingerprint: str) -> None:
        """Create the folder with its ``study.toml`` if it is new; other processes may work in it at the same time.

        Raises:
            StudyError: the folder belongs to something else, or cannot be written.
        """
        self.check(settings, fingerprint)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(f"cannot write to {self.path}: {error.strerror or error}") from error
        self._write_settings(settings, fingerprint)

    @contextmanager
    def locked(self, settings: ComparisonSettings, fingerprint: str) -> Iterator[None]:
        """Hold the folder for this process; create it with its ``study.toml`` if it is new.

        Raises:
            StudyError: another process works on it, or it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with lock_file(self.path / ".lock", wait=False):
                for place in (self.path, *(self.path / name for name in FOLDERS), *self.path.glob("cells/*")):
                    sweep(place)
                self._write_settings(settings, fingerprint)
                yield
        except LockedError as error:
            raise StudyError(
                f"another process is working on {self.path}; `nasfusion worker` helps it, through a storage they share"
            ) from error
        except OSError as error:
            raise StudyError(f"cannot write to {self.path}: {error.strerror or error}") from error
