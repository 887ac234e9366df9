"""EDCN: a cross tower and a deep tower that share what they learn after every layer."""

from __future__ import annotations

import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from torch import nn

from nas_fusion.baselines.models.handmade_model import LAYERS, FrappeResult, HandMade
from nas_fusion.baselines.models.model_parts import Ids, Logits, Values, positive
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError
from nas_fusion.nn import CrossBlock, DeepBlock
from nas_fusion.nn.blocks import Features
from nas_fusion.nn.operations import OPERATION_TYPES


class Bridge(nn.Module):
    """Merges the two towers after a layer: one of the fusion operations, of which the paper prefers the product.

    They are the operations of the search spaces (OptFusion took its four from here), with the ReLU that the paper puts
    after the concatenation.

    Args:
        width: number of features of either tower.
        operation: one of `nas_fusion.nn.OPERATION_TYPES`.

    Raises:
        OptionError: it is none of them.
    """

    def __init__(self, width: int, operation: str) -> None:
        super().__init__()
        if operation not in OPERATION_TYPES:
            raise OptionError("bridge", f"one of {', '.join(OPERATION_TYPES)}", operation)
        # Two inputs: the cross tower's output and the deep tower's.
        self.operation = OPERATION_TYPES[operation](2, width)
        # A concatenation is followed by a dense layer in the paper, which has an activation; the others have none.
        self.rectify = operation == "concat"

    def forward(self, cross: Features, deep: Features) -> Features:
        """Merge the towers' outputs, ``[batch, width]`` each, to one of the same shape."""
        merged = self.operation([cross, deep])
        return torch.relu(merged) if self.rectify else merged


class Regulation(nn.Module):
    """Gates every field for either tower: ``softmax_fields(g / τ)_f · x_f``, all g starting at 1.

    With batch norm on what comes out, as in BARS: a share of ten fields makes the features ten times smaller.

    Args:
        shape: fields, their width, and whether there is batch norm.
        temperature: τ.

    Raises:
        OptionError: the temperature is not above 0.
    """

    def __init__(self, shape: ModelShape, temperature: float) -> None:
        super().__init__()
        if not temperature > 0:
            raise OptionError("temperature", "a positive number", temperature)
        self.temperature, self.emb_dim = temperature, shape.emb_dim
        # Equal gates share evenly: every field starts with ``1 / fields`` in both towers.
        self.gates = nn.Parameter(torch.ones(2, shape.vectors))
        self.norms = nn.ModuleList(nn.BatchNorm1d(shape.width) if shape.batch_norm else nn.Identity() for _ in range(2))

    def forward(self, features: Features) -> tuple[Features, Features]:
        """Return the inputs of the cross tower and of the deep tower, ``[batch, width]`` both, as `features`."""
        # One share for a field, repeated for each of its features.
        shares = torch.softmax(self.gates / self.temperature, dim=1).repeat_interleave(self.emb_dim, dim=1)
        return self.norms[0](features * shares[0]), self.norms[1](features * shares[1])


class EDCN(nn.Module):
    """Layers of regulation, one cross beside one dense layer, and bridge (Chen et al., CIKM 2021).

    With x^0 and h^0 the regulated embedding and f^0 the embedding::

        x, h = regulate_l(f^{l-1});  x^l = (w_l · x) x^0 + b_l + x;  h^l = ReLU(W_l h + c_l);  f^l = bridge_l(x^l, h^l)

    and the logit is linear in ``[x^L; h^L; f^L]``. All layers have the embeddings' width; `ModelShape.hidden` is not
    looked at. `ModelShape.batch_norm` is that of the regulation, the dense layers have none (as in BARS). The cross
    layer is DCN's, with the term ``+ x``, which the EDCN of FuxiCTR, BARS's code, leaves out.

    Args:
        shape: fields, their width, batch norm, dropout.
        layers: number of layers L.
        temperature: of the regulation.
        bridge: operation of the bridges.
    """

    def __init__(self, shape: ModelShape, layers: int = 3, temperature: float = 5.0, bridge: str = "product") -> None:
        super().__init__()
        positive("layers", layers)
        self.embedding = shape.make_embedding()
        width = self.embedding.width
        self.regulations = nn.ModuleList(Regulation(shape, temperature) for _ in range(layers))
        self.crosses = nn.ModuleList(CrossBlock(width) for _ in range(layers))
        self.denses = nn.ModuleList(DeepBlock(width, dropout=shape.dropout) for _ in range(layers))
        self.bridges = nn.ModuleList(Bridge(width, bridge) for _ in range(layers))
        self.head = nn.Linear(3 * width, 1)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        shared = self.embedding(ids, values)
        start: Features | None = None
        for regulation, crossing, dense, bridge in zip(
            self.regulations, self.crosses, self.denses, self.bridges, strict=True
        ):
            cross, deep = regulation(shared)
            # x^0 of the paper is the regulated embedding of the cross tower, not the raw one.
            start = cross if start is None else start
            cross, deep = crossing(cross, start), dense(deep, start)
            # The merged output is the next layer's input of both towers, and the last one's goes into the head beside
            # them.
            shared = bridge(cross, deep)
        return self.head(torch.cat([cross, deep, shared], dim=1)).squeeze(-1)


EDCN_ENTRY = HandMade(
    "edcn",
    "EDCN: a cross and a deep tower bridged after every layer (Chen et al., CIKM 2021)",
    EDCN,
    tower={"batch_norm": True, "dropout": 0.3},
    own={"layers": 3, "temperature": 5.0, "bridge": "product"},
    own_bounds={
        "layers": LAYERS,
        "temperature": Bound(0, 1000, integer=False, above=True),
        "bridge": tuple(OPERATION_TYPES),
    },
    distributions=lambda: {
        "batch_norm": CategoricalDistribution((False, True)),
        "layers": IntDistribution(1, 5),
        "temperature": FloatDistribution(0.5, 10.0, log=True),
        "bridge": CategoricalDistribution(["add", "product", "concat", "attention"]),
        "dropout": FloatDistribution(0.0, 0.6),
    },
    frappe=FrappeResult(0.985012, 0.154740, 1, 0.05, 86_351),
)
