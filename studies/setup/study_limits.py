"""The limits of a study: tables of what its designs cost, and a memory of what was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas_fusion.design import OPERATIONS
from nas_fusion.errors import DamagedFileError, StudyError
from nas_fusion.measures import LatencyClock, LatencyTable, Limit, Limits, Mode, latency_ms
from nas_fusion.search import LATENCY
from nas_fusion.search_spaces import FusionSpace, measure_latency_table, multiply_add_table, parameter_table
from nas_fusion.settings import ComparisonSettings
from nas_fusion.system.files import lock_file, write_text
from nas_fusion.system.seals import read_sealed, sealed
from nas_fusion.training import TrainConfig

FORMAT_VERSION = 1
_REMEDY = "delete it to measure again; searches that are still to come may then find other designs"

LATENCY_CLOCK: LatencyClock = latency_ms
"""Measures every latency; tests put one in its place that does not depend on the machine."""


class StudyLimits:
    """What `LimitSettings` mean for the spaces of a study, whose width may be tuned.

    Latencies are measured once and remembered, so that a study that goes on uses the same table and comes to the same
    designs. `remember_in` says where; until then, and without it, they are kept in memory.

    Args:
        settings: of the study.
        config: says device and precision.
        path: ``latency.json`` of a study that goes on; need not exist.

    Raises:
        StudyError: the file cannot be read.
    """

    def __init__(
        self,
        settings: ComparisonSettings,
        config: TrainConfig,
        path: Path | None = None,
    ) -> None:
        self.settings, self._config = settings.limits, config
        self._file: Path | None = None
        self._known = _read(path) if path is not None and self.settings.latency_ms else _nothing()
        self._limits: dict[tuple[Any, ...], Limits] = {}

    def remember_in(self, path: Path) -> None:
        """Write what was measured, now and from now on; what the file says already holds."""
        if self.settings.latency_ms:
            self._file = path
            self._exchange()
            self._limits.clear()  # another process may have been first

    def of(self, space: FusionSpace) -> Limits | None:
        """The limits of a space; None without any. May measure a table of latencies, in seconds to minutes."""
        if not self.settings.any:
            return None
        key = (space.fields, space.levels, space.batch_norm, space.designs.operations)
        if key not in self._limits:
            self._limits[key] = Limits(tuple(self._all(space)), self.settings.cost_penalty)
        return self._limits[key]

    def measured(self, space: FusionSpace, name: str, make: Callable[[], nn.Module]) -> float:
        """Milliseconds per batch of a model; measured once for its name, which tells designs and modes apart."""
        key = f"{_width(space)}: {name}"
        if key not in self._known["measured"]:
            self._known["measured"][key] = self._time(space, make())
            self._exchange()
        measured: float = self._known["measured"][key]
        return measured

    def check_reachable(self, space: FusionSpace, modes: set[Mode]) -> None:
        """Refuse limits that no design keeps, before anything is trained.

        Raises:
            OptionError: there is none; names the option, the limit and the cheapest design's cost.
        """
        limits = self.of(space)
        if limits is not None:
            for mode in sorted(modes):
                limits.check_reachable(space.levels, mode)

    def _all(self, space: FusionSpace) -> list[Limit]:
        found, settings = [], self.settings
        if settings.latency_ms:
            latency = self._latency_table(space)
            found.append(Limit(LATENCY, settings.latency_ms, latency.table, 1 + latency.margin))
        if settings.parameters:
            found.append(Limit("max-parameters", settings.parameters, parameter_table(space)))
        if settings.multiply_adds:
            found.append(Limit("max-multiply-adds", settings.multiply_adds, multiply_add_table(space)))
        return found

    def _latency_table(self, space: FusionSpace) -> LatencyTable:
        key = _width(space)
        if space.designs.operations != OPERATIONS:
            key += f", {', '.join(space.designs.operations)}"
        if key not in self._known["tables"]:
            table = measure_latency_table(space, lambda model: self._time(space, model))
            self._known["tables"][key] = table.to_dict()
            self._exchange()
        return LatencyTable.from_dict(self._known["tables"][key])

    def _time(self, space: FusionSpace, model: nn.Module) -> float:
        return LATENCY_CLOCK(model, space.fields, self.settings.latency_batch, self._config)

    def _exchange(self) -> None:
        """Write what is new, and read what other processes have written."""
        if self._file is None:
            return
        with lock_file(self._file.with_name(f".{self._file.name}.lock")):
            theirs = _read(self._file)
            for name in ("tables", "measured"):
                self._known[name] = {**self._known[name], **theirs[name]}
            content = {"format": FORMAT_VERSION, **self._known, "batch": self.settings.latency_batch}
            write_text(self._file, sealed({**content, "threads": torch.get_num_threads()}) + "\n")


def _width(space: FusionSpace) -> str:
    fields = space.fields
    return f"embeddings of {fields.emb_dim}" + (f" in blocks of {fields.width}" if fields.block_width else "")


def _nothing() -> dict[str, dict[str, Any]]:
    return {"tables": {}, "measured": {}}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return _nothing()
    content = read_sealed(path, _REMEDY, required=False)
    try:
        version, tables, measured = content["format"], dict(content["tables"]), dict(content["measured"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(path, f"damaged: not the latencies of a study ({error})", _REMEDY) from error
    if version != FORMAT_VERSION:
        raise StudyError(f"{path}: format must be {FORMAT_VERSION}, got {version!r}")
    return {"tables": tables, "measured": measured}
