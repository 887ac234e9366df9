"""Several processes that train one model together, one a device."""

from nas_fusion.training.ranks.rank_processes import several_devices
from nas_fusion.training.ranks.rank_team import (
    ALONE,
    Abandoned,
    RankedTeam,
    Team,
    being_in,
    current_team,
    seed_of_rank,
    tell_of_supernet,
)

__all__ = [
    "ALONE",
    "Abandoned",
    "RankedTeam",
    "Team",
    "being_in",
    "current_team",
    "seed_of_rank",
    "several_devices",
    "tell_of_supernet",
]
