"""Simulator of IPU-like many-tile chips."""
