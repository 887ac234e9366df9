"""Settings by dotted name: flat and nested are the same settings."""

from __future__ import annotations

import pytest

from nas_fusion.errors import OptionError
from nas_fusion.settings import ComparisonSettings, DataOptions, LimitSettings, ModelSettings
from nas_fusion.settings.dotted_names import dotted_options, flat, setting_names, settings_from

SETTINGS = ComparisonSettings(
    "log.csv",
    DataOptions(label="click", numeric={"price": "scale"}),
    ("random",),
    seeds=(3,),
    budget="2x",
    model=ModelSettings(levels=2),
    limits=LimitSettings(parameters=10),
    parameters={"random": {"x": 1}},
)


def test_flat_and_back() -> None:
    content = SETTINGS.to_dict()
    values = {name: value for name, value in flat(content).items() if name not in ("source", "strategies", "seeds")}
    parameters = values.pop("parameters")
    again = settings_from(values, source="log.csv", strategies=("random",), seeds=(3,), parameters=parameters)
    assert again == SETTINGS


def test_what_is_not_named_has_its_default() -> None:
    found = settings_from({"model.levels": 2}, source="log.csv", strategies=())
    assert found == ComparisonSettings("log.csv", DataOptions(), (), model=ModelSettings(levels=2))


def test_names() -> None:
    assert {"recipe.learning_rate", "data.fields", "budget", "source"} <= set(setting_names())
    assert set(dotted_options()) <= set(setting_names())
    with pytest.raises(TypeError):
        settings_from({"model.levles": 2}, source="log.csv", strategies=())
    with pytest.raises(OptionError, match="levels must be an integer from 1 to 32"):
        settings_from({"model.levels": 0}, source="log.csv", strategies=())
