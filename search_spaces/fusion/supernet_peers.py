"""How the parts of one supernet know each other: they meet in the memo of NNI's mutation."""

from __future__ import annotations

from typing import Any


class SupernetPeers:
    """The fusion nodes of one supernet, and its blocks that have variants, each in the order of the computation.

    A plain object, so that torch does not take the lists for submodules.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.blocks: list[Any] = []

    @classmethod
    def of(cls, memo: dict[str, Any]) -> SupernetPeers:
        """Those of the supernet that a memo of NNI's mutation belongs to."""
        # NNI mutates one module after the other with one memo, so those of one supernet meet in it.
        peers: SupernetPeers = memo.setdefault("nas_fusion_peers", cls())
        return peers
