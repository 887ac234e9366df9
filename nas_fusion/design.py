"""`FusionDesign`: which blocks connect to which, and how each block merges its inputs.

Blocks are named ``embedding``, ``cross0``, ``cross1``, ``deep1``, …, ``crossL``, ``deepL``, ``output``. *cross*
names the place of a shallow block and *deep* that of a deep block, whatever module a space puts there.

Who may feed whom (Zhang et al., WSDM 2025; section "The search space"): ``cross0`` takes the embedding; ``cross i``
and ``deep i`` take the embedding, ``cross0`` and every block of a lower level; the output takes every block. That is
``2L² + 4L + 3`` candidate connections and ``2L + 1`` fusion operations.

Most spaces put one module into every place. One that leaves open which module stands there has *variants*, one for
every block but the embedding and the output.
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

SHALLOW_VARIANTS = ("cross", "matrix-cross", "low-rank-cross", "regulated-cross")
DEEP_VARIANTS = ("dense", "tower", "gated-dense", "regulated-dense")
"""What may stand in a shallow and in a deep block's place, in this package's space that leaves it open (``wide``)."""

OPERATION_KEY = "operation"
VARIANT_KEY = "variant"
OPEN_CONNECTIONS = "connections"
FORMAT_VERSION = 1
VARIANTS_VERSION = 2
"""Of a design with variants, which a reader that does not know them must not read."""

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
def variant_blocks(levels: int) -> tuple[str, ...]:
    """The blocks that have a module of their own: every one but the embedding and the output."""
    return block_names(levels)[1:-1]


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


def variant_label(block: str) -> str:
    """NNI's label of the choice of what stands in `block`'s place."""
    return f"{block}/{VARIANT_KEY}"


@dataclass(frozen=True)
class FusionDesign:
    """The open connections, one operation per fused block, and where a space has them, variants: what is searched.

    A design is a value: hashable, comparable, the same after a trip through JSON or NNI. It need not be legal;
    `check` and `is_legal` tell.

    Args:
        levels: number of levels L ≥ 1.
        connections: the open connections (source, target); kept in the canonical order.
        operations: (block, operation) for every fused block; kept in the canonical order.
        variants: (block, variant) for every block of `variant_blocks`, in the canonical order; empty in a space that
            has one module for every place.

    Raises:
        DesignError: an unknown block, a connection that is no candidate, a block without operation, or variants for
            some blocks only.
    """

    levels: int
    connections: tuple[Connection, ...]
    operations: tuple[tuple[str, str], ...]
    variants: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        candidates = candidate_connections(self.levels)
        given = {(str(s), str(t)) for s, t in self.connections}
        unknown = given.difference(candidates)
        if unknown:
            s, t = min(unknown)
            raise DesignError(f"{s} -> {t} is no candidate connection at {self.levels} levels")
        object.__setattr__(self, "connections", tuple(c for c in candidates if c in given))
        operations, blocks = dict(self.operations), fused_blocks(self.levels)
        _check_names("operations", "fused block", operations, blocks)
        object.__setattr__(self, "operations", tuple((b, operations[b]) for b in blocks))
        if self.variants:
            variants, blocks = dict(self.variants), variant_blocks(self.levels)
            _check_names("variants", "block but the embedding and the output", variants, blocks)
            object.__setattr__(self, "variants", tuple((b, variants[b]) for b in blocks))

    @classmethod
    def build(
        cls,
        levels: int,
        connections: Iterable[Connection],
        operations: Mapping[str, str] | str,
        variants: Mapping[str, str] | None = None,
    ) -> FusionDesign:
        """Make a design from any iterable of connections; one operation name stands for every block."""
        if isinstance(operations, str):
            operations = dict.fromkeys(fused_blocks(levels), operations)
        return cls(levels, tuple(connections), tuple(operations.items()), tuple((variants or {}).items()))

    def changed(
        self,
        *,
        connections: Iterable[Connection] | None = None,
        operations: Mapping[str, str] | None = None,
        variants: Mapping[str, str] | None = None,
    ) -> FusionDesign:
        """The same design but for what is given: all connections; operations and variants of the blocks named."""
        return FusionDesign.build(
            self.levels,
            self.connections if connections is None else connections,
            {**dict(self.operations), **(operations or {})},
            {**dict(self.variants), **(variants or {})},
        )

    def sources(self, block: str) -> tuple[str, ...]:
        """The open inputs of `block`, in the order of the computation."""
        return tuple(s for s, t in self.connections if t == block)

    def operation(self, block: str) -> str:
        """The operation by which `block` merges its inputs."""
        return dict(self.operations)[block]

    def variant(self, block: str) -> str | None:
        """What stands in the place of `block`; None where the space leaves no choice, or the block has no module."""
        return dict(self.variants).get(block)

    def live_blocks(self) -> tuple[str, ...]:
        """The blocks that can reach the output, in the order of the computation, output included."""
        live = {OUTPUT}
        for block in reversed(block_names(self.levels)):
            if block in live:
                live.update(self.sources(block))
        return tuple(b for b in block_names(self.levels) if b in live)

    def pruned(self) -> FusionDesign:
        """The same function with every connection into a dead block closed.

        Dead blocks keep the first operation and variant by name order, so that designs that compute the same compare
        equal.
        """
        live = set(self.live_blocks())
        return self.changed(
            connections=[(s, t) for s, t in self.connections if t in live],
            operations={b: OPERATIONS[0] for b, _ in self.operations if b not in live},
            variants={b: _first_variant(b) for b, _ in self.variants if b not in live},
        )

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
        sample.update({variant_label(b): variant for b, variant in self.variants})
        return sample

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any]) -> FusionDesign:
        """The design of an NNI sample; the number of levels is read off the labels.

        Raises:
            DesignError: a label is missing, unknown or has a value that is no choice.
        """
        operations, variants = _by_block(sample, OPERATION_KEY), _by_block(sample, VARIANT_KEY)
        gates = {k: v for k, v in sample.items() if not k.endswith((f"/{OPERATION_KEY}", f"/{VARIANT_KEY}"))}
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
        return cls.build(levels, [labels[k] for k, v in gates.items() if v], operations, variants)

    def to_json(self) -> str:
        """JSON text, the same for equal designs."""
        content: dict[str, Any] = {
            "format": VARIANTS_VERSION if self.variants else FORMAT_VERSION,
            "levels": self.levels,
            "connections": [f"{s} -> {t}" for s, t in self.connections],
            "operations": dict(self.operations),
        }
        if self.variants:
            content["variants"] = dict(self.variants)
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
            variants = content["variants"] if version == VARIANTS_VERSION else {}
            connections = [tuple(c.split(" -> ")) for c in content["connections"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DesignError(f"not a fusion design in JSON: {error!r}") from error
        if version not in (FORMAT_VERSION, VARIANTS_VERSION):
            raise DesignError(f"design format must be {FORMAT_VERSION} or {VARIANTS_VERSION}, got {version!r}")
        if not LEVELS.allows(levels):
            raise DesignError(f"levels must be {LEVELS}, got {shown(levels)}")
        if not (isinstance(operations, dict) and isinstance(variants, dict)) or any(len(c) != 2 for c in connections):
            raise DesignError("not a fusion design in JSON: operations, variants or connections have the wrong form")
        return cls.build(levels, connections, operations, variants)

    def __str__(self) -> str:
        live = [b for b in self.live_blocks() if b != EMBEDDING]
        parts = []
        for block in live:
            operation = "" if block == "cross0" else f" {self.operation(block)}"
            variant = "" if self.variant(block) is None else f" [{self.variant(block)}]"
            parts.append(f"{block}{variant} <-{operation}({', '.join(self.sources(block))})")
        return "; ".join(parts)


def _check_names(what: str, which: str, given: Mapping[str, str], blocks: Iterable[str]) -> None:
    if set(given) != set(blocks):
        missing, extra = set(blocks).difference(given), set(given).difference(blocks)
        raise DesignError(f"{what} must name every {which}: missing {sorted(missing)}, unknown {sorted(extra)}")


def _by_block(sample: Mapping[str, Any], key: str) -> dict[str, str]:
    return {label.rpartition("/")[0]: str(value) for label, value in sample.items() if label.endswith(f"/{key}")}


def _first_variant(block: str) -> str:
    return (DEEP_VARIANTS if block.startswith("deep") else SHALLOW_VARIANTS)[0]
