"""OptFusion in a plain NNI experiment on the built-in log: ``python examples/plain_nni.py [ROWS]``."""

import sys

from nni.nas.experiment import NasExperiment

from nas_fusion import FusionDesign, FusionSpace, OptFusion
from nas_fusion.data import prepare
from nas_fusion.training import TrainConfig, oneshot_evaluator

rows = sys.argv[1] if len(sys.argv) > 1 else "20000"
data = prepare(f"synthetic:{rows}").search_view()
evaluator = oneshot_evaluator(data, TrainConfig(batch_size=256, max_epochs=3)).evaluator
space = FusionSpace.for_schema(data.schema, levels=2, emb_dim=4)

experiment = NasExperiment(space, evaluator, OptFusion())
experiment.run()  # a one-shot strategy runs in this process, without NNI's manager
sample = experiment.export_top_models(formatter="dict")[0]
print(FusionDesign.from_sample(sample).to_json())
