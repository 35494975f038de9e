"""How far the model is from published measurements, as documented for this version."""

DOCUMENTED_ERRORS = (
    ("one AMP vertex, float16", "64", "mean 0.1 %, worst 1 %"),
    ("dense matmul, m = k = 1024 to 8192, float16 and float32", "60", "mean 2.3 %, worst 11 %"),
    ("dynamic sparse, best over n (4 % without the fitted gap)", "10", "mean 1.7 %, worst 8 %"),
    ("speed-ups of sparse over dense, as printed", "8", "mean 4.2 %, worst 8 %"),
    ("static sparse, best over n", "13", "mean 4.5 %, worst 21 %"),
    ("static sparse over dense, b = 1, 4, 16, d = 1/4 to 1/32, read off plots", "225", "mean 8.4 %, worst 51 %"),
    ("3 x 3 Gaussian blur of images on a GC2, and its phases", "26", "mean 10.0 %, worst 83 %"),
    ("elementwise, sums, softmax, layer norm, copies on one tile", "38", "mean 4.9 %, worst 46 %"),
    ("element-wise sparse in a framework's loop, wall clock", "6", "mean 9.4 %, worst 26 %"),
)
"""What, number of points, error: what ``ipusim validate`` finds. The project's README has the same figures."""
