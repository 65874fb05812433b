"""The service, its page and queue, the command ``belowline``, and the audit of whole archives."""

import os

# onnxruntime reports its use to Microsoft unless it is told not to before it is loaded. A service that
# reads what people write must not talk to anybody on its own.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
