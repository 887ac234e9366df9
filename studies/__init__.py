"""Studies: a comparison of strategies (strategy × seed), kept in a folder and in an Optuna storage."""

if __name__ != "nas_fusion.studies":
    raise ImportError("import this package as nas_fusion.studies, not as `studies`")

from nas_fusion.settings import (
    ComparisonSettings,
    LimitSettings,
    ModelSettings,
    RecipeSettings,
    is_built_in,
)
from nas_fusion.studies.cells.cell import find_design, run_cell, train_design
from nas_fusion.studies.cells.model_again import TrainedAgain, again_settings, train_again
from nas_fusion.studies.comparing import Comparison, compare
from nas_fusion.studies.dashboard_server import dashboard
from nas_fusion.studies.kept_models import open_cell, save_older_model
from nas_fusion.studies.picking.fit_model import Fitted, fit, study_of
from nas_fusion.studies.picking.model_place import check_out
from nas_fusion.studies.presets import Preset, check_settings, load_preset, preset_names
from nas_fusion.studies.setup.announcements import Announced, find_all_announced, find_announced
from nas_fusion.studies.setup.assembly import Assembly, assemble, schema_fingerprint
from nas_fusion.studies.setup.hyperparameters import Hyperparameters, TuningResult
from nas_fusion.studies.setup.jobs import Job, Surroundings, design_context, make_job
from nas_fusion.studies.setup.study_checks import check_comparison, check_runnable, check_study, check_worker
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.setup.study_limits import StudyLimits
from nas_fusion.studies.setup.study_space import make_space
from nas_fusion.studies.setup.tracked_runs import tell_of_search, tell_of_training
from nas_fusion.studies.storage.optuna_storage import open_storage
from nas_fusion.studies.storage.storage_url import check_storage
from nas_fusion.studies.study_info import comparison_info
from nas_fusion.studies.study_reports import rewrite_reports, without_record
from nas_fusion.studies.suites import (
    Part,
    Suite,
    check_suite_folder,
    compare_suite,
    is_suite,
    part_names,
    rewrite_suite,
)
from nas_fusion.studies.threads.study_threads import measured_threads
from nas_fusion.studies.tuning import tune
from nas_fusion.studies.working import work_on

__all__ = [
    "Announced",
    "Assembly",
    "Comparison",
    "ComparisonSettings",
    "Fitted",
    "Hyperparameters",
    "Job",
    "LimitSettings",
    "ModelSettings",
    "Part",
    "Preset",
    "RecipeSettings",
    "StudyFolder",
    "StudyLimits",
    "Suite",
    "Surroundings",
    "TrainedAgain",
    "TuningResult",
    "again_settings",
    "assemble",
    "check_comparison",
    "check_out",
    "check_runnable",
    "check_settings",
    "check_storage",
    "check_study",
    "check_suite_folder",
    "check_worker",
    "compare",
    "compare_suite",
    "comparison_info",
    "dashboard",
    "design_context",
    "find_all_announced",
    "find_announced",
    "find_design",
    "fit",
    "is_built_in",
    "is_suite",
    "load_preset",
    "make_job",
    "make_space",
    "measured_threads",
    "open_cell",
    "open_storage",
    "part_names",
    "preset_names",
    "rewrite_reports",
    "rewrite_suite",
    "run_cell",
    "save_older_model",
    "schema_fingerprint",
    "study_of",
    "tell_of_search",
    "tell_of_training",
    "train_again",
    "train_design",
    "tune",
    "without_record",
    "work_on",
]
