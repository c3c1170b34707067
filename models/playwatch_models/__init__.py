"""Detectors that learn what normal is: arrays in, arrays out, no I/O."""
