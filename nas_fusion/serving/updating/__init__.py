"""A model goes on from its weights on later rows, and what those rows are like beside the earlier ones."""

from nas_fusion.serving.updating.drift import FieldDrift, drift_of
from nas_fusion.serving.updating.grown_weights import grown_module
from nas_fusion.serving.updating.updating import Updated, update

__all__ = ["FieldDrift", "Updated", "drift_of", "grown_module", "update"]
