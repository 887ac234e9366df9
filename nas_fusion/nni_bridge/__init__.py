"""All that nas-fusion knows of NNI's insides, and every workaround for them.

The rest of the project imports NNI's names from here.
"""

from nas_fusion.nni_bridge._engine import BudgetedEngine, CandidateSpace, DrawsSamples, refuse_non_finite
from nas_fusion.nni_bridge._evolution import MendedEvolution
from nas_fusion.nni_bridge._manager import guarded
from nas_fusion.nni_bridge._nni import *  # noqa: F403 - the list of names is in the module's __all__
from nas_fusion.nni_bridge._nni import __all__ as _nni_names
from nas_fusion.nni_bridge._oneshot import (
    LearnsArchitecture,
    MendedModule,
    MendedStrategy,
    inner_module,
    learners,
)
from nas_fusion.nni_bridge._recorder import ExperimentRecorder, experiment_id
from nas_fusion.nni_bridge._training_service import (
    ServiceSettings,
    TrainingServiceRun,
    TrialEnd,
    python_command,
    training_service,
)
from nas_fusion.nni_bridge._trial import TrialChannel
from nas_fusion.nni_bridge._web_ui import viewing_manager, web_ui

__all__ = [  # noqa: PLE0604 - the names are strings
    *_nni_names,
    "BudgetedEngine",
    "CandidateSpace",
    "DrawsSamples",
    "ExperimentRecorder",
    "LearnsArchitecture",
    "MendedEvolution",
    "MendedModule",
    "MendedStrategy",
    "ServiceSettings",
    "TrainingServiceRun",
    "TrialChannel",
    "TrialEnd",
    "experiment_id",
    "guarded",
    "inner_module",
    "learners",
    "python_command",
    "refuse_non_finite",
    "training_service",
    "viewing_manager",
    "web_ui",
]
