"""Every setting: what it is called, what it may be, its default, and what help says of it.

A default stands in one dataclass of this room and nowhere else: the command line, presets, ``study.toml``, the tables
of docs/reference/settings.md and defaults in Python are made from it.
Nothing slow is imported here: no torch, NNI or pandas.
"""

from nas_fusion.settings.columns import ColumnKind
from nas_fusion.settings.comparison_settings import (
    NO_PART_OF_A_STUDY,
    PLANTED,
    SYNTHETIC,
    ComparisonSettings,
    StartFrom,
    check_seeds,
    is_built_in,
    is_planted,
)
from nas_fusion.settings.data_options import DEFAULT_OPTIONS, DataOptions
from nas_fusion.settings.limit_settings import LimitSettings
from nas_fusion.settings.model_settings import BUILT_IN_EMB_DIM, DEFAULT_EMB_DIM, ModelSettings, ProductRule
from nas_fusion.settings.option import Option, Panel, check_fields, default_of, has_default, option_of, options_of
from nas_fusion.settings.output_settings import OutputSettings
from nas_fusion.settings.recipe_settings import RecipeSettings, UpdateSettings, automatic_batch_size
from nas_fusion.settings.run_settings import DeviceSettings, EngineName, RunSettings
from nas_fusion.settings.split_rule import SplitKind, SplitRule
from nas_fusion.settings.train_config import TrainConfig

__all__ = [
    "BUILT_IN_EMB_DIM",
    "DEFAULT_EMB_DIM",
    "DEFAULT_OPTIONS",
    "NO_PART_OF_A_STUDY",
    "PLANTED",
    "SYNTHETIC",
    "ColumnKind",
    "ComparisonSettings",
    "DataOptions",
    "DeviceSettings",
    "EngineName",
    "LimitSettings",
    "ModelSettings",
    "Option",
    "OutputSettings",
    "Panel",
    "ProductRule",
    "RecipeSettings",
    "RunSettings",
    "SplitKind",
    "SplitRule",
    "StartFrom",
    "TrainConfig",
    "UpdateSettings",
    "automatic_batch_size",
    "check_fields",
    "check_seeds",
    "default_of",
    "has_default",
    "is_built_in",
    "is_planted",
    "option_of",
    "options_of",
]
