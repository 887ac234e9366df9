"""What is sent to other processes: tensors apart, parts of files by name, everything else as it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nas_fusion.training.ranks.order_packing import pack


def test_tensors_go_apart_and_stay_what_they_are() -> None:
    norm = nn.BatchNorm1d(3)
    norm.weight.requires_grad_(False)
    packed, tensors = pack(partial(dict, one=norm, other=norm.bias))
    assert [tensor.nbytes for tensor in tensors].count(norm.bias.nbytes) == 4  # each once
    order, empty = packed.unpack()
    for mine, theirs in zip(tensors, empty, strict=True):
        theirs.data.copy_(mine)
    found = order()
    assert found["one"].bias is found["other"]
    assert isinstance(found["other"], nn.Parameter)
    assert [p.requires_grad for p in found["one"].parameters()] == [False, True]
    assert all(torch.equal(part, norm.state_dict()[name]) for name, part in found["one"].state_dict().items())


def test_parts_of_files_are_opened_again_and_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "numbers.npy"
    np.save(path, np.arange(60_000).reshape(20_000, 3))
    mapped = np.load(path, mmap_mode="r")
    parts = [mapped, mapped[7:9], np.asarray(mapped)[1:, 2], mapped[:3].copy()]
    packed, _ = pack(partial(list, parts))
    assert len(packed.content) < 2000
    order, _ = packed.unpack()
    for found, wanted in zip(order(), parts, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert isinstance(order()[1].base, np.memmap)
    assert not order()[1].flags.writeable
