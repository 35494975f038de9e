"""Images and labels to train and test with, the same on every machine for the same seed.

Only raw words of PCG64 are used, which numpy guarantees for all its versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ipusim.errors import BadInputError, IpusimError, Problem
from ipusim.files.arrays import ArrayFileError, open_archive

F32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

_TEST_SHARE = 0.2
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class MissingPackageError(IpusimError):
    """A package that is no part of the base installation is needed."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images with labels.

    Attributes
    ----------
    x_train, x_test : float32 array [images, features]
        In 0..1 over the training images.
    y_train, y_test : int64 array [images]
        Classes, from 0.
    """

    x_train: F32Array
    y_train: IntArray
    x_test: F32Array
    y_test: IntArray

    @property
    def n_features(self) -> int:
        """Features of an image."""
        return int(self.x_train.shape[1])

    @property
    def n_classes(self) -> int:
        """One more than the largest label."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def load_digits(seed: int) -> Dataset:
    """Return scikit-learn's 1,797 handwritten digits, a fifth of them to test with.

    Raises
    ------
    MissingPackageError
        scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        message = "ipusim: the digits need scikit-learn: pip install 'ipusim[train]'"
        raise MissingPackageError(message) from None
    images, labels = datasets.load_digits(return_X_y=True)
    order = shuffled(len(labels), seed, "split")
    n_test = int(_TEST_SHARE * len(labels))
    test, train = order[:n_test], order[n_test:]
    return _dataset(images[train], labels[train], images[test], labels[test])


def load_arrays(path: Path) -> Dataset:
    """Return the arrays of an .npz file: ``x_train``, ``y_train``, ``x_test``, ``y_test``.

    Raises
    ------
    BadInputError
        The file cannot be read, an array is missing, or they do not belong together.
    """
    try:
        with open_archive(path) as held:
            missing = [name for name in _ARRAYS if name not in held.names]
            if missing:
                raise ArrayFileError(f"has no array {', '.join(missing)}")
            arrays = [held.array(name) for name in _ARRAYS]
    except ArrayFileError as error:
        raise BadInputError([Problem(str(path), 0, 0, "", str(error))]) from None
    problems = _array_problems(*arrays)
    if problems:
        raise BadInputError([Problem(str(path), 0, 0, name, text) for name, text in problems])
    return _dataset(*arrays)


def batch_indices(n_images: int, batch: int, step: int, seed: int) -> IntArray:
    """Return the images of a step: int64 [batch]. Every epoch has an order of its own; what is left over is skipped."""
    per_epoch = max(1, n_images // batch)
    epoch, place = divmod(step, per_epoch)
    order = _order(n_images, seed, epoch)
    return np.resize(order[place * batch : (place + 1) * batch], batch)


@lru_cache(maxsize=1)
def _order(n_images: int, seed: int, epoch: int) -> IntArray:
    """Return the order of the images in an epoch, which one step after the other asks for."""
    order = shuffled(n_images, seed, f"epoch {epoch}")
    order.flags.writeable = False
    return order


def one_hot(labels: IntArray, n_classes: int) -> F32Array:
    """Return a row with a one at the label of each image: float32 [images, classes]."""
    return np.eye(n_classes, dtype=np.float32)[labels]


def random_scores(shape: tuple[int, ...], seed: int, name: str) -> NDArray[np.float64]:
    """Return random numbers in [0, 1), float64, which depend on seed and name only."""
    generator = np.random.PCG64(np.random.SeedSequence([seed, crc32(name.encode())]))
    words = np.asarray(generator.random_raw(int(np.prod(shape))), dtype=np.uint64)
    return ((words >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)


def shuffled(count: int, seed: int, name: str) -> IntArray:
    """Return the whole numbers below `count` in a random order that depends on seed and name only."""
    return np.argsort(random_scores((count,), seed, name), kind="stable")


def _dataset(x_train: NDArray[np.generic], y_train: IntArray, x_test: NDArray[np.generic], y_test: IntArray) -> Dataset:
    train, test = (each.reshape(len(each), -1).astype(np.float64) for each in (x_train, x_test))
    low, high = float(train.min()), float(train.max())
    scale = 1.0 / (high - low) if high > low else 1.0
    scaled = (((each - low) * scale).astype(np.float32) for each in (train, test))
    x_train_scaled, x_test_scaled = scaled
    return Dataset(x_train_scaled, y_train.astype(np.int64), x_test_scaled, y_test.astype(np.int64))


def _array_problems(
    x_train: NDArray[np.generic], y_train: IntArray, x_test: NDArray[np.generic], y_test: IntArray
) -> list[tuple[str, str]]:
    found = []
    for part, images, labels in (("train", x_train, y_train), ("test", x_test, y_test)):
        if images.dtype.kind not in "biuf" or not images.size or not np.isfinite(images).all():
            found.append((f"x_{part}", "must hold finite numbers"))
        if labels.dtype.kind not in "iu" or labels.ndim != 1 or not labels.size or labels.min() < 0:
            found.append((f"y_{part}", "must hold whole numbers from 0, one for each image"))
        elif images.ndim < 2 or len(images) != len(labels):
            found.append((f"x_{part}", f"must be [{len(labels)}, ...] like its labels, not {list(images.shape)}"))
    if not found and x_train.shape[1:] != x_test.shape[1:]:
        found.append(("x_test", f"has images of {list(x_test.shape[1:])}, x_train of {list(x_train.shape[1:])}"))
    return found
