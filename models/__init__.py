"""What a model is and how to run it."""

import os

# onnxruntime writes down how it is used, below the home folder, and has code that sends it to its
# makers; it looks for this when it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
