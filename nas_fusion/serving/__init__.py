"""A trained model as a folder that needs nothing else: written by `save_model`, opened by `load`, which scores rows."""

from nas_fusion.serving.blended_model import Blend, blend_of
from nas_fusion.serving.kept_encoding import KeptEncoding, keep_encoding
from nas_fusion.serving.model_loading import check_model, load
from nas_fusion.serving.model_manifest import BLEND, LogFacts, ManifestError, ModelManifest, SoftForm
from nas_fusion.serving.model_writing import ModelParts, copy_model, save_model
from nas_fusion.serving.module_rebuilding import rebuilt, soft_form
from nas_fusion.serving.saved_model import SavedModel

__all__ = [
    "BLEND",
    "Blend",
    "KeptEncoding",
    "LogFacts",
    "ManifestError",
    "ModelManifest",
    "ModelParts",
    "SavedModel",
    "SoftForm",
    "blend_of",
    "check_model",
    "copy_model",
    "keep_encoding",
    "load",
    "rebuilt",
    "save_model",
    "soft_form",
]
