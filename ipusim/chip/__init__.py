"""The chip model."""
