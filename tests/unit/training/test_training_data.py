"""Data to train with: where they come from, how they are divided, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipusim.errors import BadInputError
from ipusim.frontends.training_entry import LearningRateEntry
from ipusim.training.data import batch_indices, load_arrays, load_digits, one_hot, shuffled
from ipusim.training.rates import learning_rate


def test_digits_are_divided_and_scaled() -> None:
    pytest.importorskip("sklearn")
    data = load_digits(0)
    assert data.x_train.shape == (1438, 64)
    assert data.x_test.shape == (359, 64)
    assert (data.x_train.min(), data.x_train.max(), data.n_classes) == (0.0, 1.0, 10)
    again, other = load_digits(0), load_digits(1)
    assert np.array_equal(data.y_test, again.y_test)
    assert not np.array_equal(data.y_test, other.y_test)
    everything = np.concatenate([data.x_train, data.x_test]).sum(dtype=np.float64)
    assert everything == pytest.approx(np.concatenate([other.x_train, other.x_test]).sum(dtype=np.float64))


def test_an_epoch_takes_every_image_once() -> None:
    steps = [batch_indices(10, 5, step, 0) for step in range(4)]
    assert sorted(np.concatenate(steps[:2])) == list(range(10))
    assert sorted(np.concatenate(steps[2:])) == list(range(10))
    assert not np.array_equal(steps[0], steps[2])
    assert len(batch_indices(3, 5, 7, 0)) == 5


def test_orders_do_not_move() -> None:
    assert shuffled(8, 0, "split").tolist() == [4, 3, 1, 0, 7, 2, 6, 5]


def test_one_hot() -> None:
    assert one_hot(np.array([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_arrays_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    images = np.arange(24).reshape(6, 2, 2)
    np.savez(path, x_train=images, y_train=np.arange(6), x_test=images[:2] * 2, y_test=np.arange(2))
    data = load_arrays(path)
    assert data.x_train.shape == (6, 4)
    assert (data.x_train.min(), data.x_train.max(), data.n_classes) == (0.0, 1.0, 6)
    assert data.x_test[0].tolist() == pytest.approx([0, 2 / 23, 4 / 23, 6 / 23])


@pytest.mark.parametrize(
    ("arrays", "wrong"),
    [
        ({"y_train": None}, "has no array y_train"),
        ({"y_train": np.zeros(5, int)}, "x_train: must be"),
        ({"y_test": np.array([0.5, 1.0])}, "y_test: must hold whole numbers"),
        ({"x_test": np.full((2, 4), np.nan)}, "x_test: must hold finite numbers"),
        ({"x_test": np.zeros((2, 5))}, "x_test: has images of"),
    ],
)
def test_wrong_arrays(tmp_path: Path, arrays: dict[str, np.ndarray], wrong: str) -> None:
    path = tmp_path / "data.npz"
    sound = {"x_train": np.ones((6, 4)), "y_train": np.arange(6), "x_test": np.ones((2, 4)), "y_test": np.arange(2)}
    np.savez(path, **{name: array for name, array in (sound | arrays).items() if array is not None})
    with pytest.raises(BadInputError, match=wrong):
        load_arrays(path)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"nothing\.npz"):
        load_arrays(tmp_path / "nothing.npz")


def test_learning_rates() -> None:
    def rates(steps: int = 8, **options: object) -> list[float]:
        entry = LearningRateEntry.model_validate({"value": 0.8, **options})
        return [learning_rate(entry, step, steps) for step in range(steps)]

    assert rates() == [0.8] * 8
    assert rates(warmup=3)[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates(schedule="cosine")[::4] == pytest.approx([0.8, 0.4])
    assert rates(schedule="steps", every=3, factor=0.5) == pytest.approx([0.8] * 3 + [0.4] * 3 + [0.2] * 2)
