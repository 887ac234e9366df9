"""A log is encoded once, found again, made anew when damaged, and never left half-written."""

from __future__ import annotations

import errno
import hashlib
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nas_fusion.data.preparation as preparing
from nas_fusion.data import DataOptions, EncodedDataset, SearchData, default_cache, prepare
from nas_fusion.data.encoding.encoded_files import FORMAT_VERSION, ArrayWriter, read_schema, write_schema
from nas_fusion.data.encoding.scan import Scan
from nas_fusion.data.encoding.scan import scan_rows as original_scan
from nas_fusion.data.sources import Source
from nas_fusion.errors import DataError


def no_encoding(*_: Any) -> None:
    raise AssertionError("the log was encoded again")


def test_second_call_does_not_encode(
    clicks: pd.DataFrame, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks.to_csv(tmp_path / "log.csv", index=False)
    first = prepare(tmp_path / "log.csv", cache=cache)
    monkeypatch.setattr(preparing, "scan_rows", no_encoding)
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(tmp_path / "log.csv", tmp_path / "elsewhere" / "log.csv")
    again = prepare(moved, cache=cache)
    assert (again.path, again.fingerprint) == (first.path, first.fingerprint)
    np.testing.assert_array_equal(again.train.ids, first.train.ids)


@pytest.mark.parametrize(
    "options", [DataOptions(seed=1), DataOptions(min_count=3), DataOptions(numeric={"price": "scale"})]
)
def test_other_options_make_another(options: DataOptions, clicks: pd.DataFrame, cache: Path) -> None:
    assert prepare(clicks, options, cache=cache).path != prepare(clicks, cache=cache).path


def test_other_content_makes_another(clicks: pd.DataFrame, cache: Path) -> None:
    changed = clicks.copy()
    changed.loc[3, "user"] = 9999
    assert prepare(changed, cache=cache).fingerprint != prepare(clicks, cache=cache).fingerprint


PINNED_VERSION = 3
PINNED = "7813911b26f31ce7158c472e87fb53524eedc8e55c31da9630919066810765ba"
"""Of `every_kind`: ids, values and numbers of all splits, and what the columns were read as."""


def every_kind() -> str:
    """A log of text with a column of every kind that is told by its cells."""
    header = "click,user,site,price,tax,paid,at,tags\n"
    return header + "".join(
        f"{k * 7 % 5 == 0:d},u{k % 13},{'abc'[k % 3]},{(k * 37 % 101) / 4},{k * 7 % 29}%,"
        f'"${1000 + k * 53 % 997:,}.50",2024-03-{k % 28 + 1:02} {k % 24:02}:00,{k % 7}|{k % 5}|{k % 3}\n'
        for k in range(600)
    )


def test_another_reading_is_another_version(cache: Path, tmp_path: Path) -> None:
    """What is in a cache is found again by options and version alone, so the version has to tell of every change."""
    (tmp_path / "log.csv").write_text(every_kind())
    data = prepare(tmp_path / "log.csv", cache=cache)
    digest = hashlib.sha256("".join(f"{c.name} {c.kind} " for c in data.columns).encode())
    for split in (data.train, data.valid, data.test):
        assert split.values is not None
        assert split.numbers is not None
        digest.update(split.ids.tobytes() + split.values.round(4).tobytes() + split.numbers.round(4).tobytes())
    found = (Source.encoding_version, digest.hexdigest())
    assert found == (PINNED_VERSION, PINNED), "raise Source.encoding_version, and pin what is read now"


def test_what_an_earlier_version_encoded_is_not_found(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.csv").write_text(every_kind())
    with monkeypatch.context() as earlier:
        earlier.setattr(Source, "encoding_version", Source.encoding_version - 1)
        first = prepare(tmp_path / "log.csv", cache=cache)
    again = prepare(tmp_path / "log.csv", cache=cache)
    assert again.path != first.path
    assert again.fingerprint != first.fingerprint


@pytest.mark.parametrize("victim", ["train_ids.npy", "test_labels.npy", "vocabulary_000.parquet", "schema.json"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "delete"])
def test_damage_is_noticed_and_repaired(
    victim: str, harm: str, clicks: pd.DataFrame, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = prepare(clicks, cache=cache)
    expected, path = np.array(data.train.ids), data.path / victim
    content = path.read_bytes()
    del data
    if harm == "delete":
        path.unlink()
    elif harm == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(DataError):
        EncodedDataset.open(path.parent)
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        again = prepare(clicks, cache=cache)
    assert "made anew" in caplog.text
    assert path.read_bytes() == content
    np.testing.assert_array_equal(again.train.ids, expected)
    assert [p.name for p in cache.iterdir()] == [again.path.name]


def forget(*keys: str) -> Callable[[dict[str, Any]], None]:
    """Take a key out of a schema; the ones before the last lead to it."""

    def change(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def older(content: dict[str, Any]) -> None:
    """What another version would have written, with other keys too."""
    content["format"] = FORMAT_VERSION - 1
    del content["splits"], content["schema"]


CHANGES = {
    "older": older,
    "newer": lambda content: content.update(format=FORMAT_VERSION + 1),
    "no format": forget("format"),
    "no splits": forget("splits"),
    "no validation rows": forget("splits", "valid"),
    "no ids": forget("splits", "train", "arrays", "ids"),
    "no shape": forget("splits", "train", "arrays", "ids", "shape"),
    "no schema": forget("schema"),
    "no fields": forget("schema", "fields"),
    "no vocabularies": forget("vocabularies"),
    "no statistics": forget("statistics"),
    "no AUC": forget("attainable_auc"),
    "unknown kind": lambda content: content["schema"]["fields"][0].update(kind="picture"),
    "unknown key": lambda content: content["schema"]["fields"][0].update(colour="red"),
    "list for a table": lambda content: content.update(splits=[]),
    "null for a table": lambda content: content.update(vocabularies=None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("verify", [False, True])
def test_a_schema_of_another_form_is_made_anew(
    change: Callable[[dict[str, Any]], None],
    verify: bool,
    clicks: pd.DataFrame,
    cache: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The checksum fits, so the schema was not damaged: another version wrote it, or somebody by hand."""
    data = prepare(clicks, cache=cache)
    expected, path = np.array(data.train.ids), data.path / "schema.json"
    written = path.read_bytes()
    content = read_schema(data.path, FORMAT_VERSION)
    change(content)
    write_schema(data.path, content)
    del data
    with pytest.raises(DataError) as caught:
        EncodedDataset.open(path.parent, verify=verify)
    assert caught.value.path == path
    with caplog.at_level(logging.WARNING, "nas_fusion"):
        again = prepare(clicks, cache=cache)
    assert "made anew" in caplog.text
    assert path.read_bytes() == written
    np.testing.assert_array_equal(again.train.ids, expected)


def test_a_full_disk_leaves_nothing_behind(clicks: pd.DataFrame, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ArrayWriter, "append", full)
    with pytest.raises(OSError, match="No space left"):
        prepare(clicks, cache=cache)
    assert list(cache.iterdir()) == []


def test_a_bad_log_leaves_nothing_behind(clicks: pd.DataFrame, cache: Path) -> None:
    clicks.loc[7, "click"] = 3
    with pytest.raises(DataError, match="line 8, column 'click'"):
        prepare(clicks, cache=cache)
    assert list(cache.iterdir()) == []


def test_a_data_set_that_another_process_made_meanwhile_is_used(
    clicks: pd.DataFrame, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[EncodedDataset] = []

    def slow(*arguments: Any) -> Scan:
        monkeypatch.setattr(preparing, "scan_rows", original_scan)
        others.append(prepare(clicks, cache=cache))
        return original_scan(*arguments)

    monkeypatch.setattr(preparing, "scan_rows", slow)
    data = prepare(clicks, cache=cache)
    assert data.path == others[0].path
    assert len(list(cache.iterdir())) == 1


def test_default_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "there"))
    assert default_cache() == tmp_path / "there"
    monkeypatch.delenv("NASFUSION_CACHE")
    assert default_cache() == Path("~/.cache/nas-fusion").expanduser()


def test_progress_goes_through_the_stages(clicks: pd.DataFrame, cache: Path) -> None:
    seen: list[tuple[str, float]] = []
    prepare(clicks, cache=cache, progress=lambda stage, share: seen.append((stage, share)))
    assert list(dict.fromkeys(stage for stage, _ in seen)) == ["read", "count", "encode"]
    assert all(0 < share <= 1 for _, share in seen)
    assert dict(seen)["encode"] == 1


def test_arrays_are_memory_mapped_and_read_only(clicks: pd.DataFrame, cache: Path) -> None:
    train = prepare(clicks, DataOptions(numeric={"price": "scale"}), cache=cache).train
    assert train.values is not None
    for array, dtype in ((train.ids, np.int32), (train.values, np.float32), (train.labels, np.float32)):
        assert isinstance(array, np.memmap)
        assert array.dtype == dtype
        assert not array.flags.writeable
    assert train.label_rate == pytest.approx(float(train.labels.mean()))


def test_a_search_does_not_see_the_test_rows(clicks: pd.DataFrame, cache: Path) -> None:
    data = prepare(clicks, cache=cache)
    view = data.search_view()
    assert isinstance(view, SearchData)
    assert not hasattr(view, "test")
    assert view.train is data.train
    assert (view.name, view.schema, view.fingerprint) == (data.name, data.schema, data.fingerprint)


def test_not_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not an encoded data set"):
        EncodedDataset.open(tmp_path)


def test_reading_memory_does_not_grow_with_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    from nas_fusion.data.encoding.guessing import column_sample
    from nas_fusion.data.sources.source import Source

    monkeypatch.setattr(Source, "chunk_rows", 1000)
    monkeypatch.setattr(column_sample, "SAMPLE_ROWS", 10_000)  # both logs have more: it is a fixed number
    peaks = []
    for rows in (20_000, 200_000):
        path = tmp_path / f"{rows}.parquet"
        frame = pd.DataFrame({f"x{i}": np.arange(rows) % 50 for i in range(8)} | {"label": np.arange(rows) // 50 % 2})
        frame.to_parquet(path, index=False)
        del frame
        tracemalloc.start()
        prepare(path, cache=tmp_path / "cache")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Labels and splits take a few bytes a row; the 8 fields as int32 alone would take 32.
    assert peaks[1] - peaks[0] < 8 * 180_000
