"""From trained weights to a model directory: ONNX, int8, calibration, thresholds and the parity gate."""
