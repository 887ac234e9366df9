"""What computes the cells in this process: versions, device, threads, precision."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nas_fusion.data import EncodedDataset
from nas_fusion.records import CellRecord
from nas_fusion.report.provenance import cells_in_words, changes, facts
from nas_fusion.training import TrainConfig, torch_device

PACKAGES = ("nas-fusion", "torch", "nni", "pytorch-lightning", "optuna", "numpy")


def versions() -> dict[str, str]:
    """Package → version, of those on which numbers depend, and Python's."""
    return dict(zip(PACKAGES, _versions(), strict=True)) | {"python": platform.python_version()}


@cache  # each is read from a file, for every cell
def _versions() -> tuple[str, ...]:
    return tuple(map(version, PACKAGES))


def data_facts(dataset: EncodedDataset) -> dict[str, Any]:
    """What a cell says of its data: enough for a report on the comparison, and to tell them from others."""
    splits = (dataset.train, dataset.valid, dataset.test)
    rows = [len(split) for split in splits]
    return {
        "fingerprint": dataset.fingerprint,
        "rows": rows,
        "fields": len(dataset.schema.fields),
        "features": dataset.schema.num_features,
        "label_rate": sum(s.label_rate * len(s) for s in splits) / sum(rows),
        "attainable_auc": dataset.attainable_auc,
    }


def provenance(config: TrainConfig, dataset: EncodedDataset) -> dict[str, Any]:
    """What computes a cell that is trained by this recipe in this process, as `CellRecord.provenance` has it.

    Raises:
        OptionError: there is no such device.
    """
    return {
        "versions": versions(),
        "device": device_name(torch_device(config)),
        "threads": torch.get_num_threads(),
        "precision": config.precision,
        "data": data_facts(dataset),
    }


def with_search(own: Mapping[str, Any], search: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's provenance, with that of its search where another cell's process ran that, under other conditions."""
    return {**own, "search": dict(search)} if search and facts(search) != facts(own) else dict(own)


def device_name(device: torch.device) -> str:
    """A device with what it is: "cuda (NVIDIA H100 80GB HBM3)", "cpu (Intel(R) Xeon(R) Processor)"."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return f"{device.type} ({name})"


def warning_of_changes(records: Sequence[CellRecord], now: Mapping[str, Any]) -> str | None:
    """One line on finished cells that were computed by something else than what computes the rest; None without any."""
    today = facts(now)
    told = [
        f"{name}: {value} ({cells_in_words(cells)}), now {today[name]}"
        for name, values in changes(records, now)
        for value, cells in values
    ]
    if not told:
        return None
    return f"finished cells were computed under other conditions, so their numbers may differ: {'; '.join(told)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
