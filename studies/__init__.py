"""Studies: a comparison of strategies (strategy × seed), kept in a folder and in an Optuna storage."""

if __name__ != "nas_fusion.studies":
    raise ImportError("import this package as nas_fusion.studies, not as `studies`")

from nas_fusion.settings import ComparisonSettings, LimitSettings, ModelSettings, RecipeSettings, is_built_in
from nas_fusion.studies._assembly import Assembly, Job, make_space, schema_fingerprint
from nas_fusion.studies._checks import check_comparison, check_runnable, check_study, check_worker
from nas_fusion.studies._compare import Comparison, compare
from nas_fusion.studies._dashboard import dashboard
from nas_fusion.studies._folder import StudyFolder
from nas_fusion.studies._hyperparameters import Hyperparameters
from nas_fusion.studies._info import comparison_info
from nas_fusion.studies._limits import StudyLimits
from nas_fusion.studies._reports import rewrite_reports, without_record
from nas_fusion.studies._shared import Announced, find_all_announced, find_announced
from nas_fusion.studies._storage import open_storage
from nas_fusion.studies._storage_url import check_storage
from nas_fusion.studies._suite import (
    Part,
    Suite,
    check_suite_folder,
    compare_suite,
    is_suite,
    part_names,
    rewrite_suite,
)
from nas_fusion.studies._tune import tune
from nas_fusion.studies._tuning import TuningResult
from nas_fusion.studies._worker import work_on
from nas_fusion.studies.presets import Preset, check_settings, load_preset, preset_names

__all__ = [
    "Announced",
    "Assembly",
    "Comparison",
    "ComparisonSettings",
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
    "TuningResult",
    "check_comparison",
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
    "find_all_announced",
    "find_announced",
    "is_built_in",
    "is_suite",
    "load_preset",
    "make_space",
    "open_storage",
    "part_names",
    "preset_names",
    "rewrite_reports",
    "rewrite_suite",
    "schema_fingerprint",
    "tune",
    "without_record",
    "work_on",
]
