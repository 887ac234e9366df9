"""Whether a model is being written down: exporters record operations, and cannot record what Python decides."""

from __future__ import annotations

import torch


def is_traced() -> bool:
    """Whether ``torch.export``, ``torch.onnx.export``, ``torch.compile`` or ``torch.jit.trace`` looks on.

    What reads numbers out of tensors on the host, has a backward of its own, or makes tensors whose shape depends on
    the numbers in others takes its plain way then. Values are the same but for the last digits.
    """
    return torch.compiler.is_compiling() or bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]
