"""What is told while a study runs: lines for whoever looks on, and for the study's log.

`tell` is for what begins (a search, a re-training); a command says what it prints by itself, and lets the study's log
have it, too, by `keep`. Without anybody who listens nothing happens.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STAGES = logging.getLogger("nas_fusion_stages")
"""Lines about what begins; of a name of its own, so that nobody's settings for warnings meet them."""

PRINTED = logging.getLogger("nas_fusion_printed")
"""Lines that a command has printed."""

WARNINGS = "nas_fusion"

_FORM = "%(asctime)s %(levelname)-7s %(message)s"

for _logger in (STAGES, PRINTED):
    _logger.propagate = False
    _logger.setLevel(logging.INFO)
    _logger.addHandler(logging.NullHandler())


def tell(line: str) -> None:
    """Something begins."""
    STAGES.info("%s", line)


def keep(line: str) -> None:
    """A line was printed; the log of the study that runs, if one does, keeps it."""
    PRINTED.info("%s", line)


@contextmanager
def kept_in(path: Path) -> Iterator[None]:
    """What is warned of, told or printed inside the block goes into a file, too, with the time; older lines stay.

    A file that cannot be written is no reason to stop: then there is no log.

    Args:
        path: of the file.
    """
    handler: logging.Handler | None = None
    with suppress(OSError):
        if not path.is_symlink():
            handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    if handler is None:
        yield
        return
    handler.setFormatter(logging.Formatter(_FORM))
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # a full disk: the study itself says so
    loggers = (STAGES, PRINTED, logging.getLogger(WARNINGS))
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()
