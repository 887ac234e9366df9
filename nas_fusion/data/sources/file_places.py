"""From what a user writes to a log's files: a file, a folder of part files, a pattern, or several, commas between.

On the disk, or on any file system that pyarrow or fsspec knows: ``s3://``, ``gs://``, ``hdfs://``, ``file://`` …
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs

from nas_fusion.data.sources.log_files import LogFile
from nas_fusion.errors import DataError, listed
from nas_fusion.log_formats import paths_of_log

ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
WILD = re.compile(r"[*?\[]")
KEY = re.compile(r"^([^=/]+)=")
"""A folder of Hive's: ``day=2024-03-01``."""

ANY_DEPTH = "**"

HIDDEN = ("_", ".")
"""Names that begin so are none of the log's: ``_SUCCESS``, ``.part-0.crc``."""

TABLES = {"_delta_log": "a Delta table", ".hoodie": "a Hudi table"}
"""Folders that show that a table's folder also holds rows that are in it no longer."""

GOOGLE_LIMIT, GOOGLE_SECONDS = "retry_limit_seconds", 30
"""Of an address: how long one request is tried, and how long if it does not say; then one knows that nobody answers."""

REMEDIES = {
    "OAuth2": "gs://anonymous@BUCKET reads a public bucket, GOOGLE_APPLICATION_CREDENTIALS names a file of credentials",
    "libjvm": "hdfs:// needs Java and Hadoop on this machine: JAVA_HOME, HADOOP_HOME and CLASSPATH say where they are",
    "libhdfs": "hdfs:// needs Hadoop on this machine: HADOOP_HOME, or ARROW_LIBHDFS_DIR, says where libhdfs is",
}
"""Words of an error of pyarrow's file systems, and what helps."""


@dataclass(frozen=True, eq=False)
class PartFile:
    """A file of a log.

    Args:
        file: where it lies.
        keys: what Hive's folders say about all of its rows, None where that is missing.
    """

    file: LogFile
    keys: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """A path on a file system, with what has to stand before it to make an address of it."""

    system: pa.fs.FileSystem
    path: str
    before: str = ""

    def name(self, path: str) -> str:
        """How a user would name another path of the same file system."""
        return self.before + path


def find_files(log: str | Path | Sequence[str | Path]) -> list[PartFile]:
    """The files of a log, in the order of their paths within each path that is named.

    Args:
        log: a path or an address, a pattern (``*``, ``?``, ``[…]``, ``**``), or several of these, with commas between
            or as a sequence. A folder stands for the files in it, at any depth, but hidden ones and empty ones.

    Raises:
        DataError: there is no such file, a folder without any, or a file system that cannot be reached.
    """
    texts = paths_of_log(log) if isinstance(log, str | Path) else [str(path) for path in log]
    found = [part for text in texts for part in _files_of(text)]
    if not found:
        raise DataError("no path is named", path=str(log))
    names = {tuple(part.keys) for part in found}
    if len(names) > 1:
        first = next(iter(found[0].keys), "")
        other = next(part for part in found if part.keys.keys() != found[0].keys.keys())
        keys = f"{listed(found[0].keys) if first else 'no keys'}, as {found[0].file.name} has"
        raise DataError(f"parts of a log must lie in folders of the same keys: {keys}", path=other.file.name)
    return found


def _files_of(text: str) -> list[PartFile]:
    place = _place(text)
    try:
        info = place.system.get_file_info(place.path)
        if info.type == pa.fs.FileType.File:
            return [PartFile(_log_file(place, info))]
        if info.type == pa.fs.FileType.Directory:
            return _parts(place, place.path, list(_below(place, info)))
        if info.type == pa.fs.FileType.Unknown:
            raise DataError("neither a file nor a folder; a log is read several times", path=text)
        if not WILD.search(place.path):
            raise DataError("no such file", path=text)
        base, pattern = _fixed(place.path)
        start = place.system.get_file_info(base)
        matched = _matches(place, start, pattern) if start.type == pa.fs.FileType.Directory else iter(())
        every = [found for info in matched for found in _below(place, info)]
    except OSError as error:
        raise DataError(f"cannot be reached ({str(error).splitlines()[0]}){_hint(error)}", path=text) from error
    return _parts(place, base, list({info.path: info for info in every}.values()))


def _place(text: str) -> Place:
    """Where a path or an address lies.

    Raises:
        DataError: the file system cannot be reached, or nobody knows it.
    """
    if not ADDRESS.match(text):
        path = str(Path(text).expanduser())
        return Place(pa.fs.LocalFileSystem(), path)
    try:
        address, _, query = text.partition("?")
        wild = WILD.search(address)
        fixed = address[: address.rfind("/", 0, wild.start()) + 1].rstrip("/") if wild else address
        system, path = pa.fs.FileSystem.from_uri(with_patience(fixed, query))
        path += address[len(fixed) :]
    except pa.ArrowInvalid as error:
        return _fsspec_place(text, error)
    except OSError as error:
        raise DataError(f"cannot be reached ({str(error).splitlines()[0]}){_hint(error)}", path=text) from error
    return Place(system, path, _before(address, path))


def with_patience(address: str, query: str) -> str:
    """An address with its query, in which Google's file system, which retries for a quarter of an hour, has a limit."""
    if address.startswith(("gs://", "gcs://")) and GOOGLE_LIMIT not in query:
        query = "&".join(filter(None, (query, f"{GOOGLE_LIMIT}={GOOGLE_SECONDS}")))
    return f"{address}?{query}" if query else address


def _hint(error: OSError) -> str:
    """What may help with an error of a file system."""
    return next((f"; {remedy}" for words, remedy in REMEDIES.items() if words in str(error)), "")


def _fsspec_place(text: str, error: Exception) -> Place:
    """The same on a file system of fsspec's, whose packages (adlfs, sshfs …) are installed by whoever needs them."""
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(text)
    except ImportError as lack:
        raise DataError(f"needs a package that is not installed ({lack})", path=text) from lack
    except ValueError as unknown:
        raise DataError(f"no file system of this kind ({error})", path=text) from unknown
    return Place(pa.fs.PyFileSystem(pa.fs.FSSpecHandler(system)), path, _before(text, path))


def _before(address: str, path: str) -> str:
    return address.removesuffix(path) if address.endswith(path) else address.partition("://")[0] + "://"


def _fixed(path: str) -> tuple[str, list[str]]:
    """The folders of a pattern that are no pattern, and the rest of it."""
    steps = path.split("/")
    first = next(i for i, step in enumerate(steps) if WILD.search(step))
    return "/".join(steps[:first]) or ("/" if path.startswith("/") else "."), steps[first:]


def _matches(place: Place, folder: pa.fs.FileInfo, pattern: Sequence[str]) -> Iterator[pa.fs.FileInfo]:
    """What lies below a folder and matches a pattern, step by step."""
    if not pattern:
        yield folder
        return
    if folder.type != pa.fs.FileType.Directory:
        return
    step, rest = pattern[0], pattern[1:]
    if step == ANY_DEPTH:
        yield from _matches(place, folder, rest)
    for info in _listing(place, folder.path):
        if _is_hidden(info) and not step.startswith(HIDDEN):
            continue
        if step == ANY_DEPTH:
            yield from _matches(place, info, pattern if info.type == pa.fs.FileType.Directory else rest or ["*"])
        elif fnmatchcase(info.base_name, step):
            yield from _matches(place, info, rest)


def _listing(place: Place, folder: str) -> list[pa.fs.FileInfo]:
    found = place.system.get_file_info(pa.fs.FileSelector(folder))
    return sorted(found, key=lambda info: str(info.path))


def _below(place: Place, info: pa.fs.FileInfo) -> Iterator[pa.fs.FileInfo]:
    """The file itself, or the files in the folder, at any depth.

    Raises:
        DataError: the folder is that of a table which only its own software can read.
    """
    if info.type != pa.fs.FileType.Directory:
        yield info
        return
    for inner in _listing(place, info.path):
        if inner.base_name in TABLES:
            table = f"{TABLES[inner.base_name]}, some of whose files may hold rows that are no longer in it"
            raise DataError(f"this is {table}: write the table's rows as Parquet files", path=place.name(info.path))
        if not _is_hidden(inner):
            yield from _below(place, inner)


def _is_hidden(info: pa.fs.FileInfo) -> bool:
    return str(info.base_name).startswith(HIDDEN)


def _parts(place: Place, base: str, infos: Sequence[pa.fs.FileInfo]) -> list[PartFile]:
    """The files that are not empty, with the keys of the folders between them and the base.

    Raises:
        DataError: there is none.
    """
    found = [info for info in infos if info.size]
    if not found:
        what = "there are only empty files" if infos else "no file is there (hidden ones do not count)"
        raise DataError(what, path=place.name(place.path))
    return [PartFile(_log_file(place, info), keys_of(posixpath.relpath(info.path, base))) for info in found]


def _log_file(place: Place, info: pa.fs.FileInfo) -> LogFile:
    return LogFile(place.name(info.path), place.system, info.path, info.size)


def keys_of(path: str) -> dict[str, str | None]:
    """What the folders of a path say, in order; Hive's word for a missing value is None."""
    names = [found[1] for step in path.split("/")[:-1] if (found := KEY.match(step))]
    if not names:
        return {}
    schema = pa.schema([(name, pa.string()) for name in names])
    parsed = pa.dataset.partitioning(schema, flavor="hive").parse(path)
    values = pa.dataset.get_partition_keys(parsed)
    return {name: values.get(name) for name in names}
