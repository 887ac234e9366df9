"""What a sweep may change: what nothing fixes, around the comparison's own values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.distributions import CategoricalDistribution

from nas_fusion.budget import Budget
from nas_fusion.errors import OptionError
from nas_fusion.settings import ComparisonSettings, DataOptions, ModelSettings, RecipeSettings
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.settings.recipe_settings import SWEPT
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import load_preset, preset_names
from nas_fusion.studies.recipe.sweep_passes import FEWEST, MOST, allowed_passes, comparison_passes, too_few
from nas_fusion.studies.recipe.swept_values import STARTS, SweptValues, usual_l2

ROWS = 30_000
AUTO = ComparisonSettings("log.csv", DataOptions(), ("random", "parallel"), recipe=RecipeSettings(choice="auto"))


def asked(**values: object) -> ComparisonSettings:
    dotted = {name.replace("__", "."): value for name, value in values.items()}
    return settings_from({"recipe.choice": "auto", **dotted}, source="log.csv", strategies=("parallel",))


def test_everything_is_swept_where_nothing_is_given() -> None:
    swept = SweptValues(AUTO, ROWS)
    assert {f"{name}" for name in swept.names} == {name.partition(".")[2] for name in SWEPT}
    assert swept.own() == {
        "embedding_l2": 0.0,
        "learning_rate": 1e-3,
        "batch_size": 512,
        "batch_norm": False,
        "dropout": 0.0,
        "emb_dim": 10,
    }
    assert swept.starts()[0] == swept.usual() == {**swept.own(), "embedding_l2": 0.2}
    assert swept.own() in swept.starts()


@pytest.mark.parametrize(
    ("rows", "l2"), [(1, 0.2), (50_000, 0.2), (80_000, 0.1), (202_027, 0.05), (33_000_000, 0.0003)]
)
def test_the_usual_l2_is_a_prior_of_one_strength(rows: int, l2: float) -> None:
    swept = SweptValues(AUTO, rows)
    assert swept.usual()["embedding_l2"] == usual_l2(rows) == pytest.approx(l2)
    where = swept.distributions(swept.widths())["embedding_l2"]
    assert where._contains(where.to_internal_repr(usual_l2(rows)))


def test_an_l2_that_is_given_is_the_usual_one() -> None:
    swept = SweptValues(asked(recipe__embedding_l2=0.0), ROWS)
    assert swept.usual() == swept.own()
    assert swept.apply(swept.usual()).recipe.embedding_l2 == 0.0


def test_what_was_given_is_kept_also_where_it_is_the_default() -> None:
    settings = asked(recipe__learning_rate=1e-3, model__dropout=0.2)
    assert settings.recipe.kept == ("recipe.learning_rate", "model.dropout")
    swept = SweptValues(settings, ROWS)
    assert set(swept.names) == {"embedding_l2", "batch_size", "batch_norm", "emb_dim"}
    chosen = swept.apply({"embedding_l2": 0.05, "batch_norm": True})
    assert (chosen.recipe.learning_rate, chosen.model.dropout) == (1e-3, 0.2)
    assert (chosen.recipe.embedding_l2, chosen.model.batch_norm) == (0.05, True)


def test_values_other_than_the_defaults_are_given_ones() -> None:
    settings = replace(AUTO, model=ModelSettings(emb_dim=6, batch_norm=True))
    assert not {"emb_dim", "batch_norm"} & set(SweptValues(settings, ROWS).names)


def test_a_published_preset_leaves_nothing_to_sweep() -> None:
    published = load_preset("optfusion-criteo").settings
    assert published["recipe.choice"] == "defaults"
    values = {name.replace(".", "__"): value for name, value in published.items()}
    assert SweptValues(asked(**{**values, "recipe__choice": "auto"}), ROWS).names == ()


def test_starts_differ_and_change_only_what_is_swept() -> None:
    assert len(SweptValues(AUTO, ROWS).starts()) == len(STARTS)
    starts = SweptValues(asked(recipe__embedding_l2=0.0, model__batch_norm=False), ROWS).starts()
    assert all(set(start) == {"learning_rate", "batch_size", "dropout", "emb_dim"} for start in starts)
    assert len({str(start) for start in starts}) == len(starts) < len(STARTS)


def test_the_distributions_hold_every_start() -> None:
    swept = SweptValues(AUTO, ROWS)
    where = swept.distributions(swept.widths())
    for start in swept.starts():
        for name, value in start.items():
            distribution = where[name]
            assert distribution._contains(distribution.to_internal_repr(value)), (name, value)


def test_widths_that_do_not_fit_are_not_tried() -> None:
    swept = SweptValues(AUTO, ROWS, lambda width: width <= 10)
    assert swept.widths() == [5, 10]
    where = swept.distributions(swept.widths())["emb_dim"]
    assert where == CategoricalDistribution([5, 10])


def test_a_chosen_rate_keeps_the_ratio_of_the_others() -> None:
    recipe = RecipeSettings(choice="auto", retrain_learning_rate=2e-3, soft_learning_rate=1e-4, kept=("model.dropout",))
    chosen = SweptValues(replace(AUTO, recipe=recipe), ROWS).apply({"learning_rate": 3e-3}).recipe
    assert chosen.retrain_learning_rate == pytest.approx(6e-3)
    assert chosen.soft_learning_rate == pytest.approx(3e-4)
    assert (chosen.choice, chosen.kept, chosen.sweep_passes) == ("defaults", (), 0)


def test_kept_names_are_settings_that_a_sweep_knows() -> None:
    with pytest.raises(OptionError, match="patience"):
        RecipeSettings(kept=("recipe.patience",))


def test_settings_written_before_there_was_a_choice_mean_the_defaults() -> None:
    content = AUTO.to_dict()
    for name in ("choice", "kept", "sweep_passes"):
        del content["recipe"][name]
    assert ComparisonSettings.from_dict(content).recipe.choice == "defaults"
    assert ComparisonSettings.from_dict(AUTO.to_dict()) == AUTO


def test_settings_written_before_weights_were_averaged_go_on_without() -> None:
    content = AUTO.to_dict()
    assert content["recipe"].pop("averaging") == 1.0
    assert ComparisonSettings.from_dict(content).train_config(ROWS).averaging == 0.0
    assert AUTO.train_config(ROWS).averaging == 1.0


@pytest.mark.parametrize("name", preset_names())
def test_presets_of_the_package_average_nothing_but_for_planted_logs(name: str) -> None:
    assert load_preset(name).settings["recipe.averaging"] == (1.0 if name == "planted" else 0.0)
    assert load_preset(name).settings["recipe.members"] == 1


def test_a_comparison_costs_its_searches_and_its_re_trainings() -> None:
    names = ("optfusion-hard", "optfusion-soft", "random", "parallel")
    entries = [replace(STRATEGIES.get(name), patience=0) for name in names]
    settings = replace(
        AUTO, seeds=(0, 1, 2), budget="5x", recipe=replace(AUTO.recipe, patience=2, retrain_epochs=20, members=1)
    )
    # Two searches, one of which serves two strategies; four re-trainings of three epochs at the least.
    assert comparison_passes(settings, entries, ROWS) == 3 * (2 * 5 + 4 * 3)
    four = replace(settings, recipe=replace(settings.recipe, members=4))
    assert comparison_passes(four, entries, ROWS) == 3 * (2 * 5 + 4 * 4 * 3)
    assert comparison_passes(replace(four, tune=2), entries, ROWS) == 5 * 3 * 5 + (3 * 4 + 2) * 4 * 3
    trees = [*entries, STRATEGIES.get("lightgbm")]
    assert comparison_passes(settings, trees, ROWS) == comparison_passes(settings, entries, ROWS)
    impatient = [replace(entry, patience=1) for entry in entries]  # searches may stop after two epochs
    assert comparison_passes(settings, impatient, ROWS) == 3 * (2 * 2 + 4 * 3)
    assert Budget.parse("5x", ROWS).samples == 5 * ROWS


def test_a_tenth_of_the_comparison_or_what_the_user_says() -> None:
    few, entries = replace(AUTO.of_one_network(), seeds=(0,)), [STRATEGIES.get("random"), STRATEGIES.get("parallel")]
    allowed = allowed_passes(few, entries, ROWS)
    assert allowed == pytest.approx(0.1 * (5 + 2 * 3))
    assert allowed < FEWEST
    assert "1.1 passes" in too_few(few, allowed)
    said = replace(few, recipe=replace(few.recipe, sweep_passes=3.0))
    assert allowed_passes(said, entries, ROWS) == 3.0
    assert too_few(said, 3.0) == ""
    many = replace(AUTO, seeds=tuple(range(100)))
    assert allowed_passes(many, entries, ROWS) == MOST
    assert too_few(many, MOST) == ""
