"""The network and the tokenizer of a model directory."""

from pathlib import Path
from typing import Any

from belowline.model.directory import ModelError


def open_network(directory: Path) -> tuple[Any, Any]:
    """Return the onnxruntime session and the tokenizer, without padding and truncation; raises ModelError."""
    return _session(directory / "model.onnx"), _tokenizer(directory / "tokenizer.json")


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Threads that share a session would wait for its memory arena and memory plans.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 3
    # Without VNNI, sums of int8 products overflow 16 bits unless both factors are unsigned.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(
            str(file),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],  # slower than what it joins (training/LOG.md)
        )
    except Exception as error:  # onnxruntime's errors have no common base class below Exception
        raise ModelError(f"{file}: corrupt or not an ONNX model; copy the model directory again") from error


def _tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{file}: corrupt, not a tokenizer; copy the model directory again") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
