"""Looking at a trained model: which of its connections it needs."""

from nas_fusion.analysis._importance import IMPORTANCE_ROWS, connection_importance, without_connection

__all__ = ["IMPORTANCE_ROWS", "connection_importance", "without_connection"]
