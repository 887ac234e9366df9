"""What a tracker is told of a cell, in plain values, and what a tracker is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from nas_fusion.architecture import Found
from nas_fusion.design_file import CONTEXT
from nas_fusion.records import CellRecord, TracePoint
from nas_fusion.system.seals import digest

SEARCH, RETRAIN = "search", "retrain"
FILES = ("design.json", "design.svg")
MODEL = "model"
"""A cell's artefact, in its folder and in its run."""

_FIGURES = ("valid_auc", "valid_logloss", "test_auc", "test_logloss", "search_seconds", "retrain_seconds", "parameters")
_IDENTIFIER = 12
"""Digits of a checksum that tell one telling of a cell from another."""


@dataclass(frozen=True)
class TrackedStudy:
    """The study whose cells are told of.

    Args:
        name: for people.
        identifier: no other study has it, wherever it lies.
        folder: where it lies.
        tags: what holds for all of it: the log, its fingerprint.
    """

    name: str
    identifier: str
    folder: Path
    tags: Mapping[str, str]


class Validation(NamedTuple):
    """One point of a curve: which validation it is, from 1, after how many seconds of its search or re-training."""

    step: int
    seconds: float
    valid_auc: float


class Tracked(Protocol):
    """What a tracker is told of, as plain values: a cell, or the run of another command."""

    @property
    def name(self) -> str:
        """What it is called; no other of its study is called so."""

    @property
    def identifier(self) -> str:
        """Another one for what was computed again."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """What it is."""

    @property
    def tags(self) -> Mapping[str, str]:
        """What one may look for it by."""

    @property
    def figures(self) -> Mapping[str, float]:
        """Its final figures."""

    @property
    def curves(self) -> Mapping[str, tuple[Validation, ...]]:
        """Phase → its validations."""

    @property
    def before(self) -> Mapping[str, float]:
        """Phase → how many seconds after the beginning it began; 0 if it is not named."""

    @property
    def ended(self) -> float:
        """When it ended, in seconds since 1970."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that are kept with it, a design's; they are there."""

    @property
    def model(self) -> Path | None:
        """The folder of its saved model, if there is one."""


@dataclass(frozen=True)
class TrackedRun:
    """A search, a re-training or a tuning trial that belongs to no comparison; `Tracked` says what everything is."""

    name: str
    parameters: Mapping[str, object]
    figures: Mapping[str, float]
    curves: Mapping[str, tuple[Validation, ...]]
    ended: float
    seconds: float
    tags: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    model: Path | None = None

    @cached_property
    def identifier(self) -> str:
        """Another one for other values."""
        content = {"parameters": {k: str(v) for k, v in self.parameters.items()}, "figures": dict(self.figures)}
        return digest(content)[:_IDENTIFIER]


@dataclass(frozen=True)
class TrackedCell:
    """A finished cell.

    Args:
        record: all that is known of it.
        folder: where it lies; its artefact is not in it where another machine computed it.
        ended: when it was written, in seconds since 1970.
    """

    record: CellRecord
    folder: Path
    ended: float

    @property
    def name(self) -> str:
        """Strategy and seed, as its folder is called."""
        return f"{self.record.strategy}-{self.record.seed}"

    @cached_property
    def identifier(self) -> str:
        """Another one for a cell that was computed again."""
        return digest({"record": self.record.to_json()})[:_IDENTIFIER]

    @property
    def seconds(self) -> float:
        """How long its search and its re-training took."""
        return self.record.search_seconds + self.record.retrain_seconds

    @property
    def before(self) -> dict[str, float]:
        """The re-training begins after the search."""
        return {RETRAIN: self.record.search_seconds}

    @property
    def files(self) -> tuple[Path, ...]:
        """The design, as values and drawn."""
        return tuple(place for name in FILES if (place := self.folder / name).is_file())

    @property
    def model(self) -> Path | None:
        """The cell's artefact, where this machine has it."""
        return place if (place := self.folder / MODEL).is_dir() else None

    @property
    def parameters(self) -> dict[str, object]:
        """What it is: strategy, seed, design, and, by dotted names, space and recipe."""
        record = self.record
        own: dict[str, object] = {"strategy": record.strategy, "seed": record.seed, "mode": record.mode}
        return {**own, **parameters_of(record.details.get(CONTEXT, {}), record.design)}

    @property
    def tags(self) -> dict[str, str]:
        """What one may look for it by: kind, device, version of nas-fusion."""
        provenance = self.record.provenance
        found = {
            "kind": self.record.kind,
            "device": provenance.get("device", ""),
            "version": provenance.get("versions", {}).get("nas-fusion", ""),
        }
        return {name: str(value) for name, value in found.items() if value}

    @property
    def figures(self) -> dict[str, float]:
        """Its final figures by name: validation, test, cost, seconds."""
        record = self.record
        own = {name: float(getattr(record, name)) for name in _FIGURES}
        further = {f"test_{name}": value for name, value in record.test_metrics.items()}
        costs = {f"cost.{name}": value for name, value in record.cost.items()}
        groups = {} if record.valid_gauc is None else {"valid_gauc": record.valid_gauc}
        return {**own, **groups, **further, **costs}

    @property
    def curves(self) -> dict[str, tuple[Validation, ...]]:
        """Phase (`SEARCH`, `RETRAIN`) → its validations."""
        phases = {SEARCH: self.record.trace, RETRAIN: self.record.retrain_history}
        return {phase: validations(points) for phase, points in phases.items() if points}


def parameters_of(context: Mapping[str, Any], design: Found) -> dict[str, object]:
    """Space and recipe by dotted names, and the design in one line.

    Args:
        context: of a design's file.
        design: what was found.
    """
    given = {part: context.get(part, {}) for part in ("model", "recipe")}
    dotted = {f"{part}.{name}": value for part, values in given.items() for name, value in values.items()}
    return {**dotted, "design": " ".join(design.to_json().split())}


def validations(points: Iterable[TracePoint]) -> tuple[Validation, ...]:
    """The points of a curve."""
    return tuple(_validations(points))


def _validations(points: Iterable[TracePoint]) -> Iterator[Validation]:
    for step, point in enumerate(points, start=1):
        yield Validation(step, point.seconds, point.valid_auc)


class Tracker(Protocol):
    """Somebody who is told of finished cells (or runs), one after the other. Nothing of it is open between two.

    It may raise whatever its package raises: whoever tells it (`Telling`) warns of it, and does not tell it again.

    Args:
        place: where it keeps what it is told: an address or a folder.
    """

    place: str

    def tell(self, cell: Tracked) -> None:
        """A cell has ended."""
