"""How points of a space are chosen: one file each."""
