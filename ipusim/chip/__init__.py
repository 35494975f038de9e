"""The chip model: hardware constants with units, sources and confidence."""
