"""The model: labels, normalisation, scorer, policy.

Importing it loads neither torch nor transformers, and onnxruntime only with a model.
"""

import os

# onnxruntime sends telemetry to Microsoft unless this is set before its import. A process that reads people's
# comments must not send anything on its own.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from belowline.model.directory import (
    DEFAULT_MODEL_DIR,
    ModelConfig,
    ModelError,
    Thresholds,
    model_directory,
)
from belowline.model.errors import BelowlineError, FieldProblem, first_problem, message_of
from belowline.model.evidence import Evidence
from belowline.model.hash_sampling import draw
from belowline.model.labels import DEFINITIONS, HARMFUL
from belowline.model.normalise import Normalised, masked, normalise
from belowline.model.policy import Context, Policy, PolicyDecision, decide, sampled
from belowline.model.policy_file import PolicyError
from belowline.model.scorer import ScoreInput, Scorer, Scores, text_hash

__all__ = [
    "DEFAULT_MODEL_DIR",
    "DEFINITIONS",
    "HARMFUL",
    "BelowlineError",
    "Context",
    "Evidence",
    "FieldProblem",
    "ModelConfig",
    "ModelError",
    "Normalised",
    "Policy",
    "PolicyDecision",
    "PolicyError",
    "ScoreInput",
    "Scorer",
    "Scores",
    "Thresholds",
    "decide",
    "draw",
    "first_problem",
    "masked",
    "message_of",
    "model_directory",
    "normalise",
    "sampled",
    "text_hash",
]
