"""The strategies that OptFusion is compared with, and hand-made designs and models.

Random search, regularised evolution, DARTS, Gumbel-DARTS, one-shot random sampling and grid search are NNI's own
implementations with the corrections of `nas_fusion.nni_bridge`; TPE is Optuna's sampler over the same space.
"""

if __name__ != "nas_fusion.baselines":
    raise ImportError("import this package as nas_fusion.baselines, not as `baselines`")

from nas_fusion.baselines.handmade_designs import parallel, stacked
from nas_fusion.baselines.model_entries import model_entry
from nas_fusion.baselines.strategies.darts import FusionDARTS, FusionGumbelDARTS
from nas_fusion.baselines.strategies.grid import FusionGridSearch
from nas_fusion.baselines.strategies.random_oneshot import FusionRandomOneShot
from nas_fusion.baselines.strategies.tpe import FusionTPE

__all__ = [
    "FusionDARTS",
    "FusionGridSearch",
    "FusionGumbelDARTS",
    "FusionRandomOneShot",
    "FusionTPE",
    "model_entry",
    "parallel",
    "stacked",
]
