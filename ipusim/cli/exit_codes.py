"""Exit codes beyond done (0), the simulation says no (1) and bad input (2)."""

INTERRUPTED = 130
"""Ctrl-C: 128 and the number of the signal, as shells have it."""
