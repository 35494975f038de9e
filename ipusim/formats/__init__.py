"""Number formats: what they hold, and how values are rounded to them."""

from ipusim.formats.format import Format
from ipusim.formats.registry import WHOLE_NUMBERS, format_names, number_format
from ipusim.formats.rounding import random_words, round_stochastic, round_to_format, round_to_scale, scale_of

__all__ = [
    "WHOLE_NUMBERS",
    "Format",
    "format_names",
    "number_format",
    "random_words",
    "round_stochastic",
    "round_to_format",
    "round_to_scale",
    "scale_of",
]
