"""YAML with positions, units, located errors, atomic writes."""
