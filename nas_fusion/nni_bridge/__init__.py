"""All that nas-fusion knows of NNI's insides, and every workaround for them.

The rest of the project imports NNI's names from here.
"""

from nas_fusion.nni_bridge.manager.own_experiments import guarded
from nas_fusion.nni_bridge.manager.training_service import (
    ServiceSettings,
    TrainingServiceRun,
    TrialEnd,
    python_command,
    training_service,
)
from nas_fusion.nni_bridge.manager.trial_side import TrialChannel
from nas_fusion.nni_bridge.manager.web_ui import viewing_manager, web_ui
from nas_fusion.nni_bridge.nni_import import *  # noqa: F403 - the list of names is in the module's __all__
from nas_fusion.nni_bridge.nni_import import __all__ as _nni_names
from nas_fusion.nni_bridge.oneshot_wrapping import (
    LearnsArchitecture,
    MendedModule,
    MendedStrategy,
    inner_module,
    learners,
)
from nas_fusion.nni_bridge.recorder import ExperimentRecorder, experiment_id
from nas_fusion.nni_bridge.regularised_evolution import MendedEvolution
from nas_fusion.nni_bridge.sequential_engine import BudgetedEngine, CandidateSpace, DrawsSamples, refuse_non_finite
from nas_fusion.nni_bridge.ui_axes import Axes, with_summary

__all__ = [  # noqa: PLE0604 - the names are strings
    *_nni_names,
    "Axes",
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
    "with_summary",
]
