"""The hand-made models by name.

Defaults are the settings that BARS (Zhu et al., SIGIR 2022) publishes for Frappe_x1, where it found them by tuning;
what is our choice is said at the entry. The training recipe around them is not here: it is the comparison's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nas_fusion.baselines.handmade_designs import stacked
from nas_fusion.baselines.models.dcn import DCN, DCNv2Parallel, DCNv2Stacked
from nas_fusion.baselines.models.deepfm import DeepFM
from nas_fusion.baselines.models.edcn import EDCN
from nas_fusion.baselines.models.finalmlp import FinalMLP
from nas_fusion.baselines.models.fnn import FNN, WideDeep
from nas_fusion.baselines.models.handmade_model import FrappeResult, HandMade
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.baselines.models.pnn import IPNN
from nas_fusion.baselines.models.xdeepfm import XDeepFM
from nas_fusion.design import EMBEDDING, OUTPUT, FusionDesign
from nas_fusion.search_spaces import DesignSet

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    Distributions = Callable[[], Mapping[str, BaseDistribution]]

HEADS = (1, 2, 5, 10)
"""They divide every hidden width that is tuned."""


def deep_chain(designs: DesignSet) -> FusionDesign:
    """The deep blocks of all levels, one chain: FNN."""
    chain = [EMBEDDING, *(f"deep{i}" for i in range(1, designs.levels + 1)), OUTPUT]
    operation = "add" if "add" in designs.operations else designs.operations[0]
    return FusionDesign.build(designs.levels, pairwise(chain), operation)


def _tower(dropout: float, *, batch_norm: bool = True) -> dict[str, Any]:
    return {"hidden_layers": 3, "hidden_width": 400, "batch_norm": batch_norm, "dropout": dropout}


def _tuned(**own: BaseDistribution) -> Distributions:
    """The distributions of a tower, and of what else the model has."""

    def distributions() -> Mapping[str, BaseDistribution]:
        tower = {
            "hidden_layers": IntDistribution(1, 4),
            "hidden_width": IntDistribution(100, 800, step=100),
            "dropout": FloatDistribution(0.0, 0.6),
        }
        return {**tower, **own}

    return distributions


def _xdeepfm(shape: ModelShape, cin_layers: int, cin_width: int) -> XDeepFM:
    return XDeepFM(shape, (cin_width,) * cin_layers)


def _finalmlp(shape: ModelShape, second_layers: int, second_width: int, **own: Any) -> FinalMLP:
    return FinalMLP(shape, (second_width,) * second_layers, **own)


_ENTRIES = (
    HandMade(
        "fnn",
        "dense network on the embeddings (Zhang et al., ECIR 2016), without pre-training: BARS's DNN",
        FNN,
        tower=_tower(0.2),
        distributions=_tuned(),
        # The log counts one tower and head more (364,001 weights) than such a network has.
        frappe=FrappeResult(0.984045, 0.158370, 5, 0.05, 781_892),
        design=deep_chain,
    ),
    HandMade(
        "wide-deep",
        "Wide&Deep: a linear model beside a dense network (Cheng et al., DLRS 2016)",
        WideDeep,
        tower=_tower(0.6),
        distributions=_tuned(),
        frappe=FrappeResult(0.983073, 0.153978, 5, 0.1, 423_280),
    ),
    HandMade(
        "ipnn",
        "IPNN: inner products of the embeddings into a dense network (Qu et al., ICDM 2016)",
        IPNN,
        tower=_tower(0.3, batch_norm=False),
        distributions=_tuned(),
        frappe=FrappeResult(0.984122, 0.154003, 1, 0.05, 433_491),
    ),
    HandMade(
        "deepfm",
        "DeepFM: a factorisation machine beside a dense network (Guo et al., IJCAI 2017)",
        DeepFM,
        tower=_tower(0.2),
        distributions=_tuned(),
        frappe=FrappeResult(0.983947, 0.149462, 5, 0.05, 423_280),
    ),
    HandMade(
        "dcn",
        "DCN: crosses beside a dense network (Wang et al., ADKDD 2017)",
        DCN,
        tower=_tower(0.2),
        own={"cross_layers": 3},
        distributions=_tuned(cross_layers=IntDistribution(1, 6)),
        frappe=FrappeResult(0.983418, 0.150676, 5, 0.05, 418_591),
    ),
    HandMade(
        "xdeepfm",
        "xDeepFM: compressed interactions beside a linear model and a dense network (Lian et al., KDD 2018)",
        _xdeepfm,
        tower=_tower(0.2),
        own={"cin_layers": 1, "cin_width": 64},
        distributions=_tuned(cin_layers=IntDistribution(1, 3), cin_width=IntDistribution(16, 128, log=True)),
        frappe=FrappeResult(0.984138, 0.146125, 5, 0.1, 429_809),
    ),
    HandMade(
        "dcnv2-stacked",
        "DCNv2 stacked: full-matrix crosses below a dense network (Wang et al., WWW 2021)",
        DCNv2Stacked,
        # BARS chose the parallel form on frappe: that form's settings are taken over here.
        tower=_tower(0.4),
        own={"cross_layers": 4, "rank": None},
        distributions=_tuned(cross_layers=IntDistribution(1, 6)),
        design=stacked,
        space="dcnv2",
    ),
    HandMade(
        "dcnv2-parallel",
        "DCNv2 parallel: full-matrix crosses beside a dense network (Wang et al., WWW 2021)",
        DCNv2Parallel,
        tower=_tower(0.4),
        own={"cross_layers": 4, "rank": None},
        distributions=_tuned(cross_layers=IntDistribution(1, 6)),
        frappe=FrappeResult(0.983824, 0.152036, 5, 0.05, 458_391),
    ),
    HandMade(
        "edcn",
        "EDCN: a cross and a deep tower bridged after every layer (Chen et al., CIKM 2021)",
        EDCN,
        tower={"batch_norm": True, "dropout": 0.3},
        own={"layers": 3, "temperature": 5.0, "bridge": "product"},
        distributions=lambda: {
            "layers": IntDistribution(1, 5),
            "temperature": FloatDistribution(0.5, 10.0, log=True),
            "bridge": CategoricalDistribution(["add", "product", "concat", "attention"]),
            "dropout": FloatDistribution(0.0, 0.6),
        },
        frappe=FrappeResult(0.985012, 0.154740, 1, 0.05, 86_351),
    ),
    HandMade(
        "finalmlp",
        "FinalMLP: two gated dense networks merged by a bilinear form (Mao et al., AAAI 2023)",
        _finalmlp,
        tower={"hidden_layers": 1, "hidden_width": 400, "batch_norm": True, "dropout": 0.4},
        # On frappe BARS's contexts are the user and the item; which fields those are is not known here.
        own={
            "second_layers": 1,
            "second_width": 100,
            "gate_width": 400,
            "heads": 5,
            "first_context": (),
            "second_context": (),
        },
        distributions=_tuned(
            second_layers=IntDistribution(1, 4),
            second_width=IntDistribution(100, 800, step=100),
            heads=CategoricalDistribution(HEADS),
        ),
        frappe=FrappeResult(0.986072, 0.148415, 1, 0.05, 253_392),
    ),
)

MODELS: Mapping[str, HandMade] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""Every hand-made model by name, oldest first."""
