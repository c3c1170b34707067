"""Watches video metric streams and pages the right people."""

__version__ = "0.1.0"
