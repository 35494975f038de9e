"""Files that a human writes or reads: YAML with positions, units, located errors, overrides, atomic writes."""
