"""How a model is made: settings, data, the loop, the measuring, the shipping."""

import models  # noqa: F401  # What it says to onnxruntime has to be said before that is loaded.
