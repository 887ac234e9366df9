"""Every baseline's entry in the registry of strategies; an entry stands beside its strategy, and here is its line."""

from __future__ import annotations

from nas_fusion.baselines.handmade_designs import PARALLEL_ENTRY, STACKED_ENTRY
from nas_fusion.baselines.model_entries import MODEL_ENTRIES
from nas_fusion.baselines.strategies.autoctr import AUTOCTR_ENTRY
from nas_fusion.baselines.strategies.darts import DARTS_ENTRY, GUMBEL_DARTS_ENTRY
from nas_fusion.baselines.strategies.grid import GRID_ENTRY
from nas_fusion.baselines.strategies.halved import ASHA_ENTRY, EVOLUTION_ASHA_ENTRY, TPE_ASHA_ENTRY
from nas_fusion.baselines.strategies.nasrec_search import NASREC_ENTRY
from nas_fusion.baselines.strategies.nni_candidates import EVOLUTION_ENTRY, RANDOM_ENTRY
from nas_fusion.baselines.strategies.random_oneshot import RANDOM_ONESHOT_ENTRY
from nas_fusion.baselines.strategies.tpe import TPE_ENTRY
from nas_fusion.baselines.tabular.tabular_entries import TABULAR_ENTRIES

ENTRIES = (
    RANDOM_ENTRY,
    EVOLUTION_ENTRY,
    TPE_ENTRY,
    ASHA_ENTRY,
    EVOLUTION_ASHA_ENTRY,
    TPE_ASHA_ENTRY,
    DARTS_ENTRY,
    GUMBEL_DARTS_ENTRY,
    RANDOM_ONESHOT_ENTRY,
    AUTOCTR_ENTRY,
    NASREC_ENTRY,
    GRID_ENTRY,
    STACKED_ENTRY,
    PARALLEL_ENTRY,
    *MODEL_ENTRIES,
    *TABULAR_ENTRIES,
)
"""In the order in which tables list them."""
