"""How a model is made: settings, data, the loop, the measuring, the shipping."""
