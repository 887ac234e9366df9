"""`FusionDesign`: which blocks connect to which, and how each block merges its inputs.

Blocks are named ``embedding``, ``cross0``, ``cross1``, ``deep1``, …, ``crossL``, ``deepL``, ``output``. *cross*
names the place of a shallow block and *deep* that of a deep block, whatever module a space puts there.

Who may feed whom (Zhang et al., WSDM 2025; section "The search space"): ``cross0`` takes the embedding; ``cross i``
and ``deep i`` take the embedding, ``cross0`` and every block of a lower level; the output takes every block. That is
``2L² + 4L + 3`` candidate connections and ``2L + 1`` fusion operations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nas_fusion.bounds import LEVELS
from nas_fusion.errors import DesignError, shown

EMBEDDING = "embedding"
OUTPUT = "output"
OPERATIONS = ("add", "product", "concat", "attention")
"""The published fusion operations, in the published order."""

KNOWN_OPERATIONS = (*OPERATIONS, "residual-product", "bilinear")
"""Every operation that the spaces of this package may offer; those of `nas_fusion.nn.OPERATION_TYPES`."""

OPERATION_KEY = "operation"
OPEN_CONNECTIONS = "connections"
FORMAT_VERSION = 1

Connection = tuple[str, str]
"""(source, target)"""


@lru_cache
def block_names(levels: int) -> tuple[str, ...]:
    """All blocks in the order of the computation, output last."""
    LEVELS.check("levels", levels)
    pairs = [name for level in range(1, levels + 1) for name in (f"cross{level}", f"deep{level}")]
    return (EMBEDDING, "cross0", *pairs, OUTPUT)


@lru_cache
def fused_blocks(levels: int) -> tuple[str, ...]:
    """The blocks that merge several inputs by an operation: every one but the embedding and ``cross0``."""
    return block_names(levels)[2:]


@lru_cache
def candidate_sources(block: str, levels: int) -> tuple[str, ...]:
    """The blocks that may feed `block`, in the order of the computation.

    Raises:
        DesignError: there is no such block at this number of levels.
    """
    names = block_names(levels)
    if block not in names:
        raise DesignError(f"no block {block!r} in a design of {levels} levels; blocks are {', '.join(names)}")
    if block == EMBEDDING:
        return ()
    if block == OUTPUT:
        return names[:-1]
    level = int(block.removeprefix("cross").removeprefix("deep"))
    return names[: 2 * level] if level else (EMBEDDING,)


@lru_cache
def candidate_connections(levels: int) -> tuple[Connection, ...]:
    """Every connection that may be open, targets in the order of the computation."""
    return tuple((s, t) for t in block_names(levels) for s in candidate_sources(t, levels))


def connection_label(source: str, target: str) -> str:
    """NNI's label of the binary choice "is this connection open?"."""
    return f"{target}/{source}"


def operation_label(block: str) -> str:
    """NNI's label of the choice of `block`'s operation."""
    return f"{block}/{OPERATION_KEY}"


@dataclass(frozen=True)
class FusionDesign:
    """The open connections and one operation per fused block: what is searched.

    A design is a value: hashable, comparable, the same after a trip through JSON or NNI. It need not be legal;
    `check` and `is_legal` tell.

    Args:
        levels: number of levels L ≥ 1.
        connections: the open connections (source, target); kept in the canonical order.
        operations: (block, operation) for every fused block; kept in the canonical order.

    Raises:
        DesignError: an unknown block, a connection that is no candidate, a block without operation.
    """

    levels: int
    connections: tuple[Connection, ...]
    operations: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        candidates = candidate_connections(self.levels)
        given = {(str(s), str(t)) for s, t in self.connections}
        unknown = given.difference(candidates)
        if unknown:
            s, t = min(unknown)
            raise DesignError(f"{s} -> {t} is no candidate connection at {self.levels} levels")
        object.__setattr__(self, "connections", tuple(c for c in candidates if c in given))
        operations = dict(self.operations)
        blocks = fused_blocks(self.levels)
        if set(operations) != set(blocks):
            missing, extra = set(blocks).difference(operations), set(operations).difference(blocks)
            raise DesignError(
                f"operations must name every fused block: missing {sorted(missing)}, unknown {sorted(extra)}"
            )
        object.__setattr__(self, "operations", tuple((b, operations[b]) for b in blocks))

    @classmethod
    def build(cls, levels: int, connections: Iterable[Connection], operations: Mapping[str, str] | str) -> FusionDesign:
        """Make a design from any iterable of connections; one operation name stands for every block."""
        if isinstance(operations, str):
            operations = dict.fromkeys(fused_blocks(levels), operations)
        return cls(levels, tuple(connections), tuple(operations.items()))

    def sources(self, block: str) -> tuple[str, ...]:
        """The open inputs of `block`, in the order of the computation."""
        return tuple(s for s, t in self.connections if t == block)

    def operation(self, block: str) -> str:
        """The operation by which `block` merges its inputs."""
        return dict(self.operations)[block]

    def live_blocks(self) -> tuple[str, ...]:
        """The blocks that can reach the output, in the order of the computation, output included."""
        live = {OUTPUT}
        for block in reversed(block_names(self.levels)):
            if block in live:
                live.update(self.sources(block))
        return tuple(b for b in block_names(self.levels) if b in live)

    def pruned(self) -> FusionDesign:
        """The same function with every connection into a dead block closed.

        Dead blocks keep the first operation by name order, so that designs that compute the same compare equal.
        """
        live = set(self.live_blocks())
        operations = {b: op if b in live else OPERATIONS[0] for b, op in self.operations}
        return FusionDesign.build(self.levels, [(s, t) for s, t in self.connections if t in live], operations)

    def problem(self) -> str | None:
        """Why the design is not legal, or None.

        A legal design's output depends on the features: an open path leads from the embedding to the output.
        (Without any open input of the output the model is a constant; the same holds where every path to the
        output starts at a block without input, so both are refused.)
        """
        if not self.sources(OUTPUT):
            return "the output has no open input, so the model is a constant"
        if EMBEDDING not in self.live_blocks():
            return "no open path leads from the embedding to the output, so the model is a constant"
        return None

    @property
    def is_legal(self) -> bool:
        """Whether the output depends on the features."""
        return self.problem() is None

    def check(self) -> FusionDesign:
        """Return self if legal.

        Raises:
            DesignError: it is not, saying why.
        """
        problem = self.problem()
        if problem:
            raise DesignError(f"not a legal design: {problem}")
        return self

    def in_short(self) -> dict[str, Any]:
        """What tells designs apart at a glance: the number of open connections, and each fused block's operation."""
        return {OPEN_CONNECTIONS: len(self.connections), **dict(self.operations)}

    def to_sample(self) -> dict[str, Any]:
        """NNI's sample: 0 or 1 for every candidate connection, a name for every fused block."""
        is_open = set(self.connections)
        sample: dict[str, Any] = {
            connection_label(s, t): int((s, t) in is_open) for s, t in candidate_connections(self.levels)
        }
        sample.update({operation_label(b): op for b, op in self.operations})
        return sample

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any]) -> FusionDesign:
        """The design of an NNI sample; the number of levels is read off the labels.

        Raises:
            DesignError: a label is missing, unknown or has a value that is no choice.
        """
        operations = {k.rpartition("/")[0]: str(v) for k, v in sample.items() if k.endswith(f"/{OPERATION_KEY}")}
        gates = {k: v for k, v in sample.items() if not k.endswith(f"/{OPERATION_KEY}")}
        levels = (len(operations) - 1) // 2
        if levels < 1:
            raise DesignError(f"the sample names {len(operations)} fused blocks; the smallest space has 3")
        labels = {connection_label(s, t): (s, t) for s, t in candidate_connections(levels)}
        if set(labels) != set(gates):
            odd = sorted(set(labels).symmetric_difference(gates))
            raise DesignError(f"the sample does not fit {levels} levels: {odd[0]!r} is missing or unknown")
        wrong = [k for k, v in gates.items() if v not in (0, 1)]
        if wrong:
            raise DesignError(f"connection {wrong[0]!r} must be 0 or 1, got {gates[wrong[0]]!r}")
        return cls.build(levels, [labels[k] for k, v in gates.items() if v], operations)

    def to_json(self) -> str:
        """JSON text, the same for equal designs."""
        content = {
            "format": FORMAT_VERSION,
            "levels": self.levels,
            "connections": [f"{s} -> {t}" for s, t in self.connections],
            "operations": dict(self.operations),
        }
        return json.dumps(content, indent=2)

    @classmethod
    def from_json(cls, text: str) -> FusionDesign:
        """Read what `to_json` wrote.

        Raises:
            DesignError: the text is not JSON, of another format version, or not a design.
        """
        try:
            content = json.loads(text)
            version = content["format"]
            levels, operations = content["levels"], content["operations"]
            connections = [tuple(c.split(" -> ")) for c in content["connections"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DesignError(f"not a fusion design in JSON: {error!r}") from error
        if version != FORMAT_VERSION:
            raise DesignError(f"design format must be {FORMAT_VERSION}, got {version!r}")
        if not LEVELS.allows(levels):
            raise DesignError(f"levels must be {LEVELS}, got {shown(levels)}")
        if not isinstance(operations, dict) or any(len(c) != 2 for c in connections):
            raise DesignError("not a fusion design in JSON: operations or connections have the wrong form")
        return cls.build(levels, connections, operations)

    def __str__(self) -> str:
        live = [b for b in self.live_blocks() if b != EMBEDDING]
        parts = []
        for block in live:
            operation = "" if block == "cross0" else f" {self.operation(block)}"
            parts.append(f"{block} <-{operation}({', '.join(self.sources(block))})")
        return "; ".join(parts)
