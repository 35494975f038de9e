"""All Numba code: arrays in, arrays out."""
