"""What a model costs and what its connections are worth: weights, multiply-adds, latency, importance; cost limits.

Everything here takes plain parts (a module, a design, a table of numbers), never a space.
"""

from nas_fusion.bounds import LATENCY_BATCHES
from nas_fusion.measures.connection_shares import connection_shares
from nas_fusion.measures.cost_table import CostTable, LatencyTable, Mode
from nas_fusion.measures.counting import MakeInputs, count_module, inputs_for, multiply_adds, parameters
from nas_fusion.measures.importance import (
    IMPORTANCE_ROWS,
    connection_importance,
    has_connections,
    without_connection,
)
from nas_fusion.measures.latency import LatencyClock, latency_ms
from nas_fusion.measures.limits import DEFAULT_COST_PENALTY, Limit, Limits
from nas_fusion.measures.model_cost import measure

__all__ = [
    "DEFAULT_COST_PENALTY",
    "IMPORTANCE_ROWS",
    "LATENCY_BATCHES",
    "CostTable",
    "LatencyClock",
    "LatencyTable",
    "Limit",
    "Limits",
    "MakeInputs",
    "Mode",
    "connection_importance",
    "connection_shares",
    "count_module",
    "has_connections",
    "inputs_for",
    "latency_ms",
    "measure",
    "multiply_adds",
    "parameters",
    "without_connection",
]
