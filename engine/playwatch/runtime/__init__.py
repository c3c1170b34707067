"""The loops of the engine: evaluate, deliver, tell the time."""
