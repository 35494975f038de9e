"""Chips and workloads over a space of parameters: which are worth building, and why."""

from ipusim.exploration.exploring import explore
from ipusim.exploration.result import Exploration

__all__ = ["Exploration", "explore"]
