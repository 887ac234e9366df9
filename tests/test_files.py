"""Files and folders: whole or not at all."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_fusion.errors import DamagedFileError, StudyError, WriteError
from nas_fusion.system.files import (
    LockedError,
    load_tensors,
    lock_file,
    new_folder,
    open_new,
    read_json,
    read_text,
    save_tensors,
    sweep,
    write_text,
)

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(7)}


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_then_full(path: Path, text: str, **_: Any) -> None:
    path.write_bytes(text.encode()[: len(text) // 2])
    full_disk()


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_text_replaces_text_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    write_text(file, "old")
    write_text(str(file), "é\r\nnew\n")
    assert file.read_bytes() == "é\r\nnew\n".encode()
    assert names(tmp_path) == ["a.csv"]


def test_a_reader_never_sees_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    write_text(file, "old")
    seen = []
    replace = os.replace

    def looking(source: Any, target: Any) -> None:
        seen.append(file.read_text())
        replace(source, target)

    monkeypatch.setattr(os, "replace", looking)
    write_text(file, "new")
    assert (seen, file.read_text()) == (["old"], "new")


@pytest.mark.parametrize("stage", ["write", "replace"])
def test_a_full_disk_leaves_the_old_text(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    write_text(file, "old content")
    if stage == "write":
        monkeypatch.setattr(Path, "write_text", half_then_full)
    else:
        monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(StudyError, match=r"cannot write .*a\.csv: No space left on device"):
        write_text(file, "new content")
    monkeypatch.undo()
    assert file.read_text() == "old content"
    assert names(tmp_path) == ["a.csv"]


def test_a_missing_folder_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="No such file"):
        write_text(tmp_path / "none" / "a.csv", "text")


def test_tensors_come_back(tmp_path: Path) -> None:
    save_tensors(tmp_path / "model.pt", TENSORS)
    found = load_tensors(tmp_path / "model.pt")
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor)
    assert names(tmp_path) == ["model.pt"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("file write failed")])
def test_a_full_disk_leaves_the_old_tensors(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.pt"
    save_tensors(file, TENSORS)

    def failing(content: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(StudyError, match=r"cannot write .*model\.pt"):
        save_tensors(file, {"weight": torch.zeros(1)})
    assert torch.equal(load_tensors(file)["weight"], TENSORS["weight"])
    assert names(tmp_path) == ["model.pt"]


class Harmful:
    """Unpickling it would make a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return os.mkdir, (self.place,)


def test_nothing_but_tensors_is_unpickled(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    torch.save({"weight": Harmful(harm)}, tmp_path / "model.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"weight": Harmful(harm)}, protocol=2))
    for name in ("model.pt", "plain.pt"):
        with pytest.raises(StudyError, match=f"{name}: no tensors can be read"):
            load_tensors(tmp_path / name)
    assert not harm.exists()


@pytest.mark.parametrize("damage", ["missing", "empty", "foreign", "half"])
def test_unreadable_tensors_are_an_error_of_ours(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    save_tensors(file, TENSORS)
    whole = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes({"empty": b"", "foreign": b"not a file of tensors", "half": whole[: len(whole) // 2]}[damage])
    with pytest.raises(StudyError, match=r"model\.pt: no tensors can be read"):
        load_tensors(file)


def make_folder(path: Path, **files: str) -> None:
    with new_folder(path) as folder:
        for name, text in files.items():
            write_text(folder / name, text)


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    place = tmp_path / "cells" / "random-0"
    make_folder(place, old="1", both="1")
    make_folder(place, new="2", both="2")
    assert {p.name: p.read_text() for p in place.iterdir()} == {"new": "2", "both": "2"}
    assert names(place.parent) == ["random-0"]


def test_a_folder_appears_at_the_end_only(tmp_path: Path) -> None:
    place = tmp_path / "random-0"
    with new_folder(place) as folder:
        write_text(folder / "a", "1")
        assert not place.exists()
        assert folder.parent == place.parent  # the same file system, so that renaming is atomic
    assert names(place) == ["a"]


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_failure_inside_leaves_the_old_folder(error: BaseException, tmp_path: Path) -> None:
    place = tmp_path / "random-0"
    make_folder(place, a="old")

    def fail() -> None:
        with new_folder(place) as folder:
            write_text(folder / "a", "new")
            raise error

    with pytest.raises(StudyError if isinstance(error, OSError) else type(error)):
        fail()
    assert (place / "a").read_text() == "old"
    assert names(tmp_path) == ["random-0"]


# Strangers and killed processes --------------------------------------------------------------------------------------


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file outside of the folder, which nobody may touch."""
    found = tmp_path / "outside" / "victim"
    found.parent.mkdir()
    found.write_text("mine")
    yield found
    assert found.read_text() == "mine"
    assert names(found.parent) == ["victim"]


def test_a_link_is_replaced_and_not_followed(victim: Path, tmp_path: Path) -> None:
    link = tmp_path / "report.html"
    writers: list[Callable[[], object]] = [
        lambda: write_text(link, "new"),
        lambda: save_tensors(link, TENSORS),
        lambda: open_new(link).close(),
    ]
    for write in writers:
        link.unlink(missing_ok=True)
        link.symlink_to(victim)
        write()
        assert not link.is_symlink()


def test_a_link_is_neither_locked_nor_filled(victim: Path, tmp_path: Path) -> None:
    link, dangling = tmp_path / ".lock", tmp_path / "cells"
    link.symlink_to(victim)
    dangling.symlink_to(victim.parent / "new")
    with pytest.raises(WriteError, match=r"\.lock: it is a symbolic link"), lock_file(link):
        pass
    for place in (link, dangling):
        with pytest.raises(WriteError, match="symbolic link"):
            make_folder(place, a="1")


def test_links_under_the_old_temporary_names_are_not_followed(victim: Path, tmp_path: Path) -> None:
    """Names that could be foreseen: the file's own and the number of the process."""
    for name in ("a.csv", "cell"):
        (tmp_path / f".{name}.{os.getpid()}.tmp").symlink_to(victim)
    write_text(tmp_path / "a.csv", "new")
    make_folder(tmp_path / "cell", a="1")
    sweep(tmp_path)


def test_temporary_names_cannot_be_foreseen(tmp_path: Path) -> None:
    seen = set()
    for _ in range(3):
        with new_folder(tmp_path / "cell") as folder:
            seen.add(folder.name)
    assert len(seen) == 3


def test_what_killed_processes_left_is_swept_away_and_what_is_being_written_stays(tmp_path: Path) -> None:
    (tmp_path / ".random-0.123.tmp").mkdir()
    (tmp_path / ".random-0.123.tmp" / "half").write_text("1")
    (tmp_path / ".a.csv.99.tmp").write_text("half")
    (tmp_path / ".mine").write_text("kept")
    with new_folder(tmp_path / "tpe-0") as folder:
        write_text(folder / "a", "1")
        sweep(tmp_path)
        assert names(folder) == ["a"]
    assert names(tmp_path) == [".mine", "tpe-0"]


def test_a_lock_keeps_others_out_until_the_block_ends(tmp_path: Path) -> None:
    place = tmp_path / ".lock"
    place.write_text("kept")
    with lock_file(place):
        with pytest.raises(LockedError, match="another process"), lock_file(place, wait=False):
            pass
        assert place.read_text() == "kept", "a lock does not empty its file"
    with lock_file(place, wait=False):
        pass


# Reading -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[1]", "list"),
        (b"[" * 100_000, "not JSON"),
        (b"{}x", "not JSON"),
    ],
)
def test_what_is_no_json_object_is_named(content: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "cell.json"
    file.write_bytes(content)
    with pytest.raises(DamagedFileError, match=rf"cell\.json: damaged: .*{problem}.*; delete it") as caught:
        read_json(file, "delete it")
    assert (caught.value.path, "\n" in str(caught.value)) == (file, False)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=r"none\.json: the file is missing"):
        read_text(tmp_path / "none.json")
    with pytest.raises(DamagedFileError, match=r"cannot be read \(Is a directory\)"):
        read_text(tmp_path)


def test_a_folder_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("a file")
    with pytest.raises(StudyError, match="cannot write"):
        make_folder(tmp_path / "cells" / "random-0", a="1")
    assert names(tmp_path) == ["cells"]
