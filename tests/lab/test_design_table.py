"""Tables of designs: making, going on, reading, and what is read off them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.errors import DamagedFileError, DesignError, OptionError, StudyError, UnknownNameError
from nas_fusion.lab import DesignTable, TablePlan, make_table, merge_tables
from nas_fusion.lab.stacked_training import train_stack
from nas_fusion.search_spaces import DesignSet, FusionSpace, canonical, design_code
from nas_fusion.settings import ComparisonSettings, ModelSettings, RecipeSettings
from nas_fusion.settings.lab.table_settings import TableSettings
from tests.lab.made_up_table import write_made_up

LOG = "synthetic:400"
SPACE = DesignSet(1)


def code(operation: str, *connections: tuple[str, str]) -> int:
    return design_code(canonical(FusionDesign.build(1, connections, operation)), SPACE)


TO_OUTPUT = [("embedding", "output"), ("embedding", "deep1"), ("deep1", "output"), ("embedding", "cross0")]
CODES = sorted(
    [
        code("add", TO_OUTPUT[0]),
        code("concat", TO_OUTPUT[0]),
        code("add", *TO_OUTPUT[:3]),
        code("attention", *TO_OUTPUT[:3]),
    ]
)


def plan(part: int = 6, seeds: tuple[int, ...] = (0, 1), learning_rate: float = 0.01) -> TablePlan:
    recipe = RecipeSettings(learning_rate=learning_rate)
    settings = ComparisonSettings(
        source=LOG, data=DataOptions(), strategies=(), seeds=seeds, model=ModelSettings(emb_dim=2), recipe=recipe
    )
    return TablePlan(settings, TableSettings(epochs=2, part=part, stack=2))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare(LOG, cache=tmp_path_factory.mktemp("cache"))


def test_a_table_is_made_goes_on_and_is_read(
    dataset: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "table.parquet"
    trained: list[int] = []

    def counted(space: FusionSpace, designs: tuple[FusionDesign, ...], *rest: object) -> object:
        trained.append(len(designs))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return train_stack(space, designs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("nas_fusion.lab.table_making.train_stack", counted)
    with pytest.raises(KeyboardInterrupt):
        make_table(plan(), dataset, out)
    assert not out.exists()
    told: list[tuple[int, int]] = []
    folder = make_table(plan(), dataset, out, lambda done, of: told.append((done, of)))
    stacks = len(list(plan().stacks()))
    # Two were finished before; the third is trained again.
    assert len(trained) == 2 * stacks + 1
    assert told[0] == (2, 4 * stacks)
    assert told[-1] == (4 * stacks, 4 * stacks)
    table = DesignTable.open(out)
    assert (table.log, len(table), table.seeds, table.epochs) == (LOG, 6, (0, 1), 2)
    assert [table.design(place) for place in range(6)] == plan().designs()
    with pytest.raises(StudyError, match=r"learning_rate is 0\.01 there, and 0\.02 was asked for"):
        make_table(plan(learning_rate=0.02), dataset, out)
    assert folder == tmp_path / "table.parquet.parts"
    # One seed more is one seed's work.
    make_table(plan(seeds=(0, 1, 2)), dataset, out)
    assert len(trained) == 3 * stacks + 1
    assert DesignTable.open(out).seeds == (0, 1, 2)


def test_figures_are_those_of_the_training_and_of_the_cost_tables(dataset: EncodedDataset, tmp_path: Path) -> None:
    make_table(plan(part=2, seeds=(4,)), dataset, tmp_path / "table.parquet")
    table = DesignTable.open(tmp_path / "table.parquet")
    space = FusionSpace.for_schema(dataset.schema, levels=1, emb_dim=2)
    for place in range(2):
        design = table.design(place)
        config = plan().config(len(dataset.train), 4)
        valid, test = train_stack(space, [design], dataset, config)
        np.testing.assert_allclose(table.valid_auc[place, 0], valid[0], atol=1e-4)
        np.testing.assert_allclose(table.test_auc[place, 0], test[0], atol=1e-4)
        model = space.derive(design, weights=False)
        assert table.weights[place] == sum(parameter.numel() for parameter in model.parameters())


def test_what_a_table_says(tmp_path: Path) -> None:
    valid = np.array([[[0.6, 0.7], [0.6, 0.5]], [[0.8, 0.7], [0.9, 0.9]], [[0.5, 0.5]] * 2, [[0.7, 0.7]] * 2])
    test = np.array([[[0.1, 0.72], [0.68, 0.2]], [[0.8, 0.0], [0.9, 0.1]], [[0.5, 0.5]] * 2, [[0.6, 0.6]] * 2])
    table = DesignTable.open(write_made_up(tmp_path / "t.parquet", CODES, valid, test))
    np.testing.assert_allclose(table.quality, [0.70, 0.85, 0.5, 0.6], rtol=1e-6)
    assert table.best_place == 1
    assert table.regret(table.design(0)) == pytest.approx(0.15, abs=1e-6)
    # Variances over seeds: .0008, .005, 0, 0.
    assert table.noise == pytest.approx(np.sqrt(0.0058 / 4), rel=1e-5)
    assert table.tied_with_best.tolist() == [False, True, False, False]
    assert table.rank_correlations()[0] == pytest.approx(0.8)
    # Another name of the same function, in a block that reaches nothing.
    one = FusionDesign.build(1, [TO_OUTPUT[0], ("embedding", "deep1")], "product")
    assert table.codes[table.place(one)] == code("add", TO_OUTPUT[0])
    with pytest.raises(DesignError, match="not a design of the table of made-up"):
        table.place(FusionDesign.build(1, TO_OUTPUT, "product"))


def test_a_failed_training_is_no_optimum(tmp_path: Path) -> None:
    valid = np.full((2, 1, 2), 0.6)
    valid[1] = np.nan
    table = DesignTable.open(write_made_up(tmp_path / "t.parquet", CODES[:2], valid, valid))
    assert table.best_place == 0
    assert np.isnan(table.quality[1])
    assert np.isnan(table.noise)


@pytest.mark.parametrize(
    ("codes", "change", "message"),
    [
        (CODES[:2], {"valid_auc": 1.5}, "valid_auc must be from 0 to 1"),
        ([CODES[0], 0], {}, "0 is not the number of a legal design in its canonical form"),
        (CODES[:2], {"epoch": 7}, "must be there once"),
    ],
)
def test_damage_is_named(tmp_path: Path, codes: list[int], change: dict[str, float], message: str) -> None:
    path = write_made_up(tmp_path / "t.parquet", sorted(codes), np.full((2, 1, 2), 0.6), np.full((2, 1, 2), 0.6))
    table = pq.read_table(path)
    frame = table.to_pandas()
    for name, value in change.items():
        frame.loc[0, name] = value
    pq.write_table(type(table).from_pandas(frame, schema=table.schema, preserve_index=False), path)
    with pytest.raises(DamagedFileError, match=message):
        DesignTable.open(path)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="the file is missing"):
        DesignTable.open(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(DamagedFileError, match="no Parquet table can be read"):
        DesignTable.open(tmp_path / "text.parquet")
    path = write_made_up(tmp_path / "t.parquet", CODES[:1], np.full((1, 1, 2), 0.6), np.full((1, 1, 2), 0.6))
    pq.write_table(pq.read_table(path).drop(["seconds"]), path)
    with pytest.raises(DamagedFileError, match="column 'seconds' is missing"):
        DesignTable.open(path)


def test_tables_of_several_logs_in_one_file(tmp_path: Path) -> None:
    figures = np.full((1, 1, 2), 0.6)
    paths = [write_made_up(tmp_path / f"{log}.parquet", CODES[:1], figures, figures, log=log) for log in ("a", "b")]
    merge_tables(paths, tmp_path / "both.parquet")
    assert DesignTable.open(tmp_path / "both.parquet", "b").log == "b"
    with pytest.raises(UnknownNameError, match="known are a, b"):
        DesignTable.open(tmp_path / "both.parquet", "c")
    with pytest.raises(DamagedFileError, match="figures of the log 'a' stand in an earlier file, too"):
        merge_tables([*paths, paths[0]], tmp_path / "both.parquet")


def test_what_no_table_can_be_made_of() -> None:
    whole = ComparisonSettings(source=LOG, data=DataOptions(), strategies=())
    with pytest.raises(OptionError, match="part must be given for a space of 536,870,912 samples"):
        TablePlan(whole, TableSettings(levels=2))
    normed = ComparisonSettings(source=LOG, data=DataOptions(), strategies=(), model=ModelSettings(batch_norm=True))
    with pytest.raises(OptionError, match="off for a table"):
        TablePlan(normed)
