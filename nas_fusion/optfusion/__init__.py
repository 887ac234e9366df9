"""OptFusion: learning fusion in deep CTR models in one supernet training.

Source: Zhang et al., *Fusion Matters: Learning Fusion in Deep Click-through Rate Prediction Models*, WSDM 2025,
arXiv 2411.15731.
"""

from nas_fusion.nni_bridge import nni
from nas_fusion.optfusion.gate_learning import GateLearning
from nas_fusion.optfusion.gates import binary_gate
from nas_fusion.optfusion.optfusion_node import OptFusionNode, SupernetOptions
from nas_fusion.optfusion.optfusion_strategy import OptFusion
from nas_fusion.optfusion.proposals import propose

# NNI has no registry of strategies; users look for one in its namespace.
nni.nas.strategy.OptFusion = OptFusion
nni.nas.strategy.oneshot.OptFusion = OptFusion

__all__ = ["GateLearning", "OptFusion", "OptFusionNode", "SupernetOptions", "binary_gate", "propose"]
