"""One file per operator: shape rule, FLOPs, reference."""
