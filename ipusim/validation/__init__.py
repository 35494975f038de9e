"""The model held against published measurements: what was measured, what is predicted, and how far they are apart."""

from ipusim.validation.result import Validation
from ipusim.validation.run import validate

__all__ = ["Validation", "validate"]
