"""How far the model is from published measurements, as documented for this version."""

DOCUMENTED_ERRORS = (
    ("one AMP vertex, float16", "64", "at most 1 %"),
    ("dense matmul, m = k = 1024 to 8192, float16 and float32", "60", "mean 2.3 %, worst a factor 1.11"),
    (
        "static sparse against dense, b = 1, 4, 16, d = 1/4 to 1/32",
        "219",
        "geometric mean 8 %, faster or slower right in 98 %",
    ),
    ("dynamic sparse, best over n", "12", "geometric mean 2 %, 4 % without the fitted gap"),
    (
        "elementwise, sums, softmax, layer norm, copies on one tile",
        "38",
        "mean 5 %, all but two within 15 % (GELU and sums of rows fitted)",
    ),
    ("3 x 3 Gaussian blur of images on a GC2, and its phases", "26", "mean 10 %, a phase up to a factor 1.8 (sync)"),
    ("which of these problems fit in memory", "all", "right, with a reserve set after seeing them for sparse ones"),
)
"""What, number of points, error: the bands that ``tests/validation`` holds. The project's README has the same table."""
