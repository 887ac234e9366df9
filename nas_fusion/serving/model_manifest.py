"""`ModelManifest`: what ``model.json`` says, the first file that is read of a saved model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nas_fusion.architecture import Found, found_from_json
from nas_fusion.data import LogForm
from nas_fusion.design import FusionDesign
from nas_fusion.errors import NasFusionError
from nas_fusion.log_formats import AUTO
from nas_fusion.nn import Fields
from nas_fusion.settings import DataOptions, ModelSettings, TrainConfig
from nas_fusion.system.seals import SEAL

MODEL_FORMAT = 2
"""Of the folder. Raise it when an older nas-fusion could not read what is written; what was written stays readable."""

WITHOUT_PARTS = 1
"""The format of a model that is one alone, which older versions read, too."""

BLEND = "blend"
"""What the strategy of a model that is several is called."""

OF_THE_WHOLE = ("log", "metrics", "versions", "created", "notes", "files")
"""What parts of a blend have in common, or do not need."""

TensorForm = tuple[str, tuple[int, ...]]
"""Type and shape of a tensor."""


@dataclass(frozen=True)
class LogFacts:
    """The log that a model was trained on.

    Args:
        name: what it is called.
        fingerprint: equal for equal content and options.
        rows: of the training, validation and test split.
        label_rate: share of clicks among the training rows, 0 … 1.
        options: how it was read, split and encoded.
        form: how its cells were read, what was guessed of that included; new rows are read in the same way.
    """

    name: str
    fingerprint: str
    rows: tuple[int, int, int]
    label_rate: float
    options: DataOptions
    form: LogForm = field(default_factory=LogForm)

    @property
    def reading_options(self) -> DataOptions:
        """How a file of other rows of the same kind is read: in the same way, but it may have another format."""
        return replace(self.options, format=AUTO)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "options": self.options.to_dict(), "form": self.form.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LogFacts:
        """What `to_dict` made."""
        train, valid, test = content["rows"]
        read = {"options": DataOptions(**content["options"]), "form": LogForm.from_dict(content["form"])}
        return cls(**{**content, **read, "rows": (train, valid, test)})


@dataclass(frozen=True)
class SoftForm:
    """What a soft model is made from again: see `StrategyEntry.make_soft_model`.

    Args:
        mixture: what the search left (`nas_fusion.strategy.abilities.SoftStart`).
        weights: types and shapes of the supernet's weights; their values are those of no use any more.
    """

    mixture: Mapping[str, Mapping[str, float]]
    weights: Mapping[str, TensorForm]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SoftForm:
        """What `dataclasses.asdict` gave, after a trip through JSON."""
        weights = {name: (kind, tuple(shape)) for name, (kind, shape) in content["weights"].items()}
        return cls(content["mixture"], weights)


@dataclass(frozen=True)
class ModelManifest:
    """What a saved model is, and all that makes its module again but the weights.

    Args:
        strategy, kind, seed: which strategy made it (`StrategyEntry`), with which seed.
        mode: ``hard`` or ``soft``.
        design: the searched design, or the architecture.
        space: of the design, with the widths in use: neither is left to the log any more.
        recipe: by which it was trained; scores are computed in batches of its size.
        log: what it was trained on.
        metrics: what was measured, by split (``valid``, ``test``) and name.
        size: trainable weights, or what a model that is no network has learnt (`WholeModel.size`).
        passes: of a model that is no network, as of `WholeModel`.
        soft: of a soft model.
        versions: package → version, of those that made it.
        created: when, in UTC.
        notes: anything else that JSON can hold: what an update did, for instance.
        files: size and checksum of every other file, by name; filled in when it is written.
        parts: the models whose logits are averaged, where it is a blend; of the same log, without files of their own.
    """

    strategy: str
    kind: str
    seed: int
    mode: str
    design: Found
    space: ModelSettings
    recipe: TrainConfig
    log: LogFacts
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    size: int = 0
    passes: int = 0
    soft: SoftForm | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parts: tuple[ModelManifest, ...] = ()

    @property
    def title(self) -> str:
        """Which model it is, in a few words."""
        name = " + ".join(map(member_words, self.parts)) if self.parts else self.strategy
        return f"{name}, seed {self.seed}"

    @property
    def is_design(self) -> bool:
        """Whether it is a design of a fusion space, which can be drawn."""
        return isinstance(self.design, FusionDesign)

    def fields(self, shapes: Any) -> Fields:
        """The fields of its log, with the widths in use.

        Args:
            shapes: of the schema.
        """
        return Fields(tuple(shapes), self.space.emb_dim, int(self.space.block_width))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        content = {
            **{name: getattr(self, name) for name in ("strategy", "kind", "seed", "mode", "size", "passes", "created")},
            "design": json.loads(self.design.to_json()),
            "space": asdict(self.space),
            "recipe": asdict(self.recipe),
            "log": self.log.to_dict(),
            "metrics": {split: dict(found) for split, found in self.metrics.items()},
            "soft": None if self.soft is None else asdict(self.soft),
            "versions": dict(self.versions),
            "notes": dict(self.notes),
            "files": {name: dict(seal) for name, seal in self.files.items()},
        }
        if not self.parts:
            return {"format": WITHOUT_PARTS, **content}
        content["parts"] = [
            {name: value for name, value in part.to_dict().items() if name not in ("format", *OF_THE_WHOLE)}
            for part in self.parts
        ]
        return {"format": MODEL_FORMAT, **content}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ModelManifest:
        """What `to_dict` made.

        Raises:
            ManifestError: it is of a newer format, or it is none; says why.
        """
        version = content.get("format")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise ManifestError(f"not a saved model: its format must be a number from 1 to {MODEL_FORMAT}")
        if version > MODEL_FORMAT:
            raise ManifestError(
                f"a model of format {version}, and this nas-fusion reads formats up to {MODEL_FORMAT}: a newer one "
                "wrote it, and is needed to open it"
            )
        try:
            read = {name: value for name, value in content.items() if name != "format"}
            read["design"] = found_from_json(json.dumps(read["design"]))
            read["space"] = ModelSettings(**read["space"])
            read["recipe"] = TrainConfig(**read["recipe"])
            read["log"] = LogFacts.from_dict(read["log"])
            read["soft"] = None if read["soft"] is None else SoftForm.from_dict(read["soft"])
            read["files"] = {name: {"bytes": int(s["bytes"]), SEAL: str(s[SEAL])} for name, s in read["files"].items()}
            whole = {name: content[name] for name in OF_THE_WHOLE} | {"metrics": {}, "notes": {}, "files": {}}
            read["parts"] = tuple(
                cls.from_dict({"format": version, **whole, **_flat(part)}) for part in read.get("parts", ())
            )
            made = cls(**read)
            int(made.space.block_width)
        except (NasFusionError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"not a saved model: {type(error).__name__}: {error}") from error
        return made


def member_words(manifest: ModelManifest) -> str:
    """A part of a blend: ``fnn (4 networks)``."""
    members = manifest.recipe.members
    return manifest.strategy if members == 1 else f"{manifest.strategy} ({members} networks)"


def _flat(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part, which has no parts of its own: nothing is nested without end."""
    if "parts" in part:
        raise ManifestError("a part of a blend that is a blend")
    return part


class ManifestError(NasFusionError, ValueError):
    """What a model's manifest says cannot be used."""
