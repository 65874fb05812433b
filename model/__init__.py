"""The model: labels, normalisation, scorer, policy. Importing it loads neither torch nor transformers, and onnxruntime only with a model."""

from belowline.model.directory import DEFAULT_MODEL_DIR, ModelConfig, ModelError, Thresholds
from belowline.model.labels import DEFINITIONS, HARMFUL
from belowline.model.normalise import Normalised, normalise
from belowline.model.policy import Decision, Policy, PolicyError, decide
from belowline.model.scorer import Evidence, ScoreInput, Scorer, Scores

__all__ = [
    "DEFAULT_MODEL_DIR",
    "DEFINITIONS",
    "HARMFUL",
    "Decision",
    "Evidence",
    "ModelConfig",
    "ModelError",
    "Normalised",
    "Policy",
    "PolicyError",
    "ScoreInput",
    "Scorer",
    "Scores",
    "Thresholds",
    "decide",
    "normalise",
]
