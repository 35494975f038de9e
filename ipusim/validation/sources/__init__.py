"""Published measurements, one source in each file."""
