"""Chips and workloads over a space of parameters: which are worth building, and why."""
