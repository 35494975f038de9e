"""One file per vertex type: cycle formula, bytes, kernel, source."""
