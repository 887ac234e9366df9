"""Published hand-made CTR models: the references of the literature, as torch modules.

Every model is built from one `ModelShape`, called as ``model(ids, values)`` and returns logits ``[batch]``, like the
networks of the search spaces, on the same embeddings. `MODELS` lists them with citations, hyperparameters and what
the BARS benchmark publishes for them.
"""

if __name__ != "nas_fusion.baselines.models":
    raise ImportError("import this package as nas_fusion.baselines.models, not as `models`")

from nas_fusion.baselines.models.dcn import DCN, DCNv2Parallel, DCNv2Stacked
from nas_fusion.baselines.models.deepfm import DeepFM
from nas_fusion.baselines.models.edcn import EDCN
from nas_fusion.baselines.models.finalmlp import FinalMLP
from nas_fusion.baselines.models.fnn import FNN, WideDeep
from nas_fusion.baselines.models.handmade_model import FrappeResult, HandMade
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.baselines.models.model_table import MODELS
from nas_fusion.baselines.models.pnn import IPNN
from nas_fusion.baselines.models.xdeepfm import XDeepFM

__all__ = [
    "DCN",
    "EDCN",
    "FNN",
    "IPNN",
    "MODELS",
    "DCNv2Parallel",
    "DCNv2Stacked",
    "DeepFM",
    "FinalMLP",
    "FrappeResult",
    "HandMade",
    "ModelShape",
    "WideDeep",
    "XDeepFM",
]
