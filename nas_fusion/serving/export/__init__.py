"""A saved model for services without nas-fusion: `export_model` writes ONNX, torch.export or TorchScript."""

from nas_fusion.serving.export.export_check import TOLERANCE, Compared, ExportError, reference_encoder
from nas_fusion.serving.export.export_formats import EXPORT_FORMATS, ExportFormat
from nas_fusion.serving.export.model_export import Exported, export_model

__all__ = [
    "EXPORT_FORMATS",
    "TOLERANCE",
    "Compared",
    "ExportError",
    "ExportFormat",
    "Exported",
    "export_model",
    "reference_encoder",
]
