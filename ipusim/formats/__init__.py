"""Number formats: what they hold, and how values are rounded to them."""

from ipusim.formats.format import Format
from ipusim.formats.registry import WHOLE_NUMBERS, format_names, number_format
from ipusim.formats.rounding import round_to_format

__all__ = ["WHOLE_NUMBERS", "Format", "format_names", "number_format", "round_to_format"]
