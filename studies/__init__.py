"""Studies: a comparison of strategies (strategy × seed), kept in a folder and in an Optuna storage."""

if __name__ != "nas_fusion.studies":
    raise ImportError("import this package as nas_fusion.studies, not as `studies`")

from nas_fusion.studies._compare import Comparison, compare, comparison_info, make_space
from nas_fusion.studies._dashboard import dashboard
from nas_fusion.studies._folder import StudyFolder
from nas_fusion.studies._settings import ComparisonSettings, ModelSettings, RecipeSettings

__all__ = [
    "Comparison",
    "ComparisonSettings",
    "ModelSettings",
    "RecipeSettings",
    "StudyFolder",
    "compare",
    "comparison_info",
    "dashboard",
    "make_space",
]
