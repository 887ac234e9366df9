"""`prepare`: encode a log once, and find it again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nas_fusion.data.encoded_dataset import EncodedDataset
from nas_fusion.data.encoding.column_plans import ColumnPlan, plan_lines
from nas_fusion.data.encoding.dataset_writer import write_dataset
from nas_fusion.data.encoding.encoded_files import FORMAT_VERSION
from nas_fusion.data.encoding.fitting import fit_encoding
from nas_fusion.data.encoding.guessing import plan_columns
from nas_fusion.data.encoding.parsed_rows import ParsedOnce
from nas_fusion.data.encoding.reading_plan import columns_read, plan_reading
from nas_fusion.data.encoding.scan import Progress, scan_rows
from nas_fusion.data.sources.readers import Log, open_source
from nas_fusion.data.sources.source import Source
from nas_fusion.errors import DataError
from nas_fusion.settings import DEFAULT_OPTIONS, DataOptions
from nas_fusion.system.files import sweep, temporary_folder

CACHE_VARIABLE = "NASFUSION_CACHE"
ENCODING, ROWS = "encoding", "rows"

logger = logging.getLogger("nas_fusion")


def default_cache() -> Path:
    """Where encoded data sets are kept: ``$NASFUSION_CACHE``, or ``~/.cache/nas-fusion``."""
    return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/nas-fusion").expanduser()


def prepare(
    source: Log,
    options: DataOptions = DEFAULT_OPTIONS,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
    planned: Callable[[Sequence[str]], None] | None = None,
) -> EncodedDataset:
    """Encode a log, or open it if the same content was encoded with the same options before.

    A new data set appears in the cache whole or not at all. One that was damaged is made anew, with a warning.

    Args:
        source: a file, a folder of part files, a pattern like ``logs/*.csv``, or several of these (as a sequence, or as
            a text with commas between), on the disk or at an address like ``s3://bucket/logs``; a pandas frame; or
            "synthetic", "synthetic:ROWS", "synthetic:ROWS:SEED".
        options: how it is read, split and encoded.
        cache: the folder of encoded data sets; `default_cache` if not given.
        progress: called with a stage ("read", "count", "encode") and the share of it that is done, 0 to 1.
        planned: called with the lines of the reading plan before anything long: what was guessed of the log, and which
            option says otherwise. Not called where nothing was.

    Raises:
        DataError: the log cannot be used; says file, line and column.
        OSError: the cache cannot be written, a full disk for instance.
    """
    log = open_source(source, options)
    plan = plan_reading(log, options)
    fingerprint = _fingerprint(log, options)
    target = (cache or default_cache()) / f"{_file_name(log.name)}-{fingerprint[:16]}-v{FORMAT_VERSION}"
    say = planned or _no_plan
    if (found := _open_existing(target)) is not None:
        _tell_plan(log, found.row_words, found.columns, say)
        return found
    tell = progress or _no_progress
    with _made_in_its_place(target) as folder, temporary_folder(target.parent, ROWS) as rows:
        log = log if log.typed else ParsedOnce(log, columns_read(log, plan), rows / ROWS)
        scan = scan_rows(log, plan, tell)
        columns = plan_columns(log, options, scan)
        _tell_plan(log, scan.words, columns, say)
        fit = fit_encoding(log, scan, columns, options, tell)
        write_dataset(log, scan, columns, fit, folder, fingerprint=fingerprint, options=options, progress=tell)
    return EncodedDataset.open(target, verify=False)


def check_log(source: Log, options: DataOptions = DEFAULT_OPTIONS) -> Source:
    """The reader of a log, whose columns are those that the options ask for; only its beginning is read.

    Raises:
        DataError: there is no such file, or no such column.
        OptionError: a synthetic log of another form.
    """
    log = open_source(source, options)
    plan_reading(log, options)
    return log


FIRST_OPTIONS = frozenset(
    (
        "format", "label", "split_column", "split", "seed", "min_count", "numeric", "vocabulary_rows",
        "reproduce_criteo_buckets", "fields",
    )
)  # fmt: skip
"""What fingerprints always held. A later option counts where it is not as usual, so that older studies go on."""


def _fingerprint(log: Source, options: DataOptions) -> str:
    """Equal for equal content, format and options. Any change here makes every cached data set anew."""
    usual = DEFAULT_OPTIONS.to_dict()
    given = {name: v for name, v in options.to_dict().items() if name in FIRST_OPTIONS or v != usual[name]}
    content = {"version": log.encoding_version, "source": log.digest(), "options": {**given, "format": log.kind}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)[:80].lstrip(".") or "log"


def _open_existing(folder: Path) -> EncodedDataset | None:
    if not folder.exists():
        return None
    try:
        return EncodedDataset.open(folder)
    except DataError as error:
        logger.warning("an encoded data set cannot be used and is made anew: %s", error)
        return None


@contextmanager
def _made_in_its_place(target: Path) -> Iterator[Path]:
    """A folder beside the target, to be filled in the block; it is moved there when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    with temporary_folder(target.parent, ENCODING) as temporary:
        try:
            yield temporary
        except OSError as error:
            if error.filename is None:  # writing, which knows no name; and nobody knows the temporary one
                raise OSError(error.errno, error.strerror or str(error), str(target)) from error
            raise
        _move(temporary, target)


def _move(temporary: Path, target: Path) -> None:
    """Put a finished folder in its place; a damaged one there makes way, a good one (of another process) stays."""
    if target.exists():
        try:
            EncodedDataset.open(target)
        except DataError:
            with temporary_folder(target.parent, ENCODING) as aside:
                os.replace(target, aside)
        else:
            return
    try:
        os.replace(temporary, target)
    except OSError:
        if not target.exists():
            raise
        EncodedDataset.open(target)  # another process was faster


def _tell_plan(
    log: Source, row_words: Sequence[str], columns: Sequence[ColumnPlan], say: Callable[[Sequence[str]], None]
) -> None:
    guesses = [f"{g.what}, since {g.why}" + (f" ({g.option} says otherwise)" if g.option else "") for g in log.guesses]
    if lines := [*guesses, *row_words, *plan_lines(columns)]:
        say(lines)


def _no_plan(_lines: Sequence[str]) -> None:
    pass


def _no_progress(_stage: str, _share: float) -> None:
    pass
