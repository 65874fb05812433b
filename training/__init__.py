"""Mixing corpora, fine-tuning, measuring, exporting; the command ``belowline-train``."""

import belowline.model  # noqa: F401  # before anything here loads onnxruntime: it switches that library's telemetry off
