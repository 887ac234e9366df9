"""``python -m benchmarks``: run all benchmarks, or those that are named."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks._harness import Options, Skipped, show

NAMES = {
    "kernels": "steps of supernets and hard designs against the published code, by share of closed gates",
    "derived": "random designs against a form that keeps every block, and the supernet: training step, inference",
    "embedding": "the optimiser's step for large embedding tables: plain, fused, touched rows",
    "encoding": "encoding a generated Criteo-format log: rows per second and memory, by size",
    "exported": "single rows through an exported model: the numpy encoder and ONNX Runtime",
    "towers": "a training step of FNN and DCNv2 with torch's embedding gradient and dropout, and with ours",
    "fuxictr": "DCNv2 and DNN against FuxiCTR in an environment of its own (make fuxictr): steps, training, AUC",
    "loader": "batches alone, and how long a training waits for them",
    "loop": "fit and a supernet's training over plain loops of the same steps",
    "ranks": "a training by one process and by two: seconds, bytes of gradients that are sent a step",
    "recording": "the share of a comparison that recording for NNI's web UI takes",
    "scoring": "scoring a log by a saved model against encoding it, memory by its length, and single rows",
    "threads": "steps on one thread and on all, spinning and sleeping, alone and beside busy processes",
    "width": "a training step of the supernet by the number of fields: seconds, parameters, memory",
    "search": "a whole OptFusion search against training the design that it derives",
}


def main() -> None:
    """Run, print tables, write ``benchmark-results/<name>.json``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Each benchmark prints a table and writes a JSON file; ratios are plain time over ours.",
        epilog="\n".join(f"{name:10} {what}" for name, what in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="all of them without a name")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each side (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes: only to see that everything runs")
    parser.add_argument(
        "--device", default="cpu", help="cpu or cuda, for kernels, derived and embedding (default: %(default)s)"
    )
    parser.add_argument("--results", type=Path, default=Path("benchmark-results"), help="folder for the JSON files")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where an aim is missed")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    reached = True
    for name in arguments.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory(prefix="nasfusion-bench-") as folder:
            options = Options(arguments.repeats, arguments.quick, Path(folder), arguments.device)
            try:
                reached &= show(name, module.run(options), arguments.results)
            except Skipped as reason:
                print(f"{name}: skipped: {reason}", file=sys.stderr)
    sys.exit(0 if reached or not arguments.strict else 1)


if __name__ == "__main__":
    main()
