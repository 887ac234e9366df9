"""nas-fusion: automatic fusion design for click-through-rate models.

The names below are imported when they are first used: torch and NNI take seconds to import, and
``nasfusion --help`` must not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas_fusion.design import FusionDesign
    from nas_fusion.errors import NasFusionError
    from nas_fusion.optfusion import OptFusion
    from nas_fusion.search_spaces import FusionSpace
    from nas_fusion.serving import SavedModel, load
    from nas_fusion.studies.estimators.fusion_classifier import FusionClassifier

__version__ = "0.1.0"

__all__ = [
    "FusionClassifier",
    "FusionDesign",
    "FusionSpace",
    "NasFusionError",
    "OptFusion",
    "SavedModel",
    "__version__",
    "load",
]

_HOME = {
    "FusionClassifier": "nas_fusion.studies.estimators.fusion_classifier",
    "FusionDesign": "nas_fusion.design",
    "NasFusionError": "nas_fusion.errors",
    "OptFusion": "nas_fusion.optfusion",
    "FusionSpace": "nas_fusion.search_spaces",
    "SavedModel": "nas_fusion.serving",
    "load": "nas_fusion.serving",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
