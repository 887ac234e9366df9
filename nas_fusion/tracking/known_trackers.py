"""The trackers by name, and what each needs; their packages are imported when one is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from netrc import NetrcParseError, netrc
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from nas_fusion.bounds import TRACKERS, one_of
from nas_fusion.errors import MissingPackageError, OptionError
from nas_fusion.tracking.tracked_cell import TrackedStudy, Tracker

QUIET: Mapping[str, str] = MappingProxyType(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # MLflow tries for many minutes else, and the study waits for it.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
    }
)
"""The packages' settings where the user's environment does not say otherwise: short waits, no reports to makers."""

_KEY = "a key (`wandb login`, or WANDB_API_KEY), or WANDB_MODE=offline"
_KEY_VARIABLES = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
_WANDB = "https://api.wandb.ai"


class KnownTracker(NamedTuple):
    """A tracker.

    Args:
        module, package: what must be there: as it is imported, and as it is installed.
        open: opens it for a study.
        check: refuses what could not be told; quick, and without asking anybody.
    """

    module: str
    package: str
    open: Callable[[TrackedStudy], Tracker]
    check: Callable[[], None] = lambda: None


def check_trackers(names: Iterable[str]) -> None:
    """Refuse trackers that could not be told anything. Opens none.

    Raises:
        OptionError: there is no such tracker, or it would ask for a key in the middle of a study.
        MissingPackageError: its package is not installed; says which extra has it.
    """
    for name in names:
        one_of("track", name, TRACKERS)
        known = KNOWN[name]
        if find_spec(known.module) is None:
            raise MissingPackageError(f"--track {name}", known.package, name)
        known.check()


def open_tracker(name: str, study: TrackedStudy) -> Tracker:
    """A tracker for a study; whatever its package raises.

    Args:
        name: one of `nas_fusion.bounds.TRACKERS`.
        study: whose cells it will be told of.
    """
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)
    return KNOWN[name].open(study)


def _mlflow(study: TrackedStudy) -> Tracker:
    from nas_fusion.tracking.mlflow_runs import MlflowTracker

    return MlflowTracker(study)


def _tensorboard(study: TrackedStudy) -> Tracker:
    from nas_fusion.tracking.lightning_loggers import TensorBoardTracker

    return TensorBoardTracker(study)


def _wandb(study: TrackedStudy) -> Tracker:
    from nas_fusion.tracking.lightning_loggers import WandbTracker

    return WandbTracker(study)


def _check_wandb() -> None:
    """Weights & Biases would ask for a key when the first cell has ended, and the study would wait for an answer."""
    asks_nobody = os.environ.get("WANDB_MODE", "online") not in ("online", "shared")
    if not asks_nobody and not any(os.environ.get(name) for name in _KEY_VARIABLES) and not _is_in_netrc():
        raise OptionError("track", f"a tracker that may be told something; wandb needs {_KEY}", "wandb")


def _is_in_netrc() -> bool:
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or _WANDB).hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


KNOWN: Mapping[str, KnownTracker] = MappingProxyType(
    {
        "mlflow": KnownTracker("mlflow", "mlflow-skinny", _mlflow),
        "tensorboard": KnownTracker("tensorboard", "tensorboard", _tensorboard),
        "wandb": KnownTracker("wandb", "wandb", _wandb, _check_wandb),
    }
)
