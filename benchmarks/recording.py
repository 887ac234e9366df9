"""What recording for NNI's web UI costs: the time inside the recorder over that of the whole comparison."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unittest import mock

from benchmarks._harness import Options, Row, in_ms
from benchmarks._workload import built_in, default_settings
from nas_fusion.nni_bridge import ExperimentRecorder
from nas_fusion.studies import compare

STRATEGIES = ("random", "evolution", "optfusion-hard", "darts")
METHODS = ("__enter__", "__exit__", "write_event", "write_metric", "rewrite_parameters")


def run(options: Options) -> Iterator[Row]:
    """A comparison of four strategies on the built-in log, one seed, as ``nasfusion compare`` runs it."""
    dataset = built_in(options.quick, options.folder)
    settings = replace(default_settings(), strategies=STRATEGIES, seeds=(0,))
    study = options.folder / "recorded study"
    whole, inside = [], []
    for _ in range(max(1, options.repeats // 3)):
        shutil.rmtree(study, ignore_errors=True)
        clock = _Clock()
        with ExitStack() as stack:
            for name in METHODS:
                timed = clock.around(getattr(ExperimentRecorder, name))
                stack.enter_context(mock.patch.object(ExperimentRecorder, name, timed))
            start = time.perf_counter()
            compare(settings, dataset, study)
            whole.append(time.perf_counter() - start)
        inside.append(clock.seconds)
    share = statistics.median(i / w for i, w in zip(inside, whole, strict=True))
    details = {"whole ms": in_ms(whole), "inside ms": in_ms(inside)}
    yield Row("share of a comparison spent recording", share, "", 0.01, details, at_most=True)


class _Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return timed
