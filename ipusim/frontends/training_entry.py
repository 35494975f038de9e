"""Pydantic models of the ``training`` key of a workload file: what is learnt, from what, and how."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from ipusim.files.units import Count, Density, Flag, Number
from ipusim.frontends.entries import Entry, Extent, NoOptions, OneKind, Room, Scale

MAX_STEPS = 10**9
"""Most steps of a training."""

Steps = Annotated[Count, Field(ge=1, le=MAX_STEPS)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Amount = Annotated[Number, Field(ge=0)]

MethodName = Literal["dense", "static", "prune", "set", "rigl"]

METHODS: tuple[MethodName, ...] = get_args(MethodName)
"""Methods that train."""


class DataEntry(OneKind):
    """Where images and labels come from."""

    needs_options: ClassVar[tuple[str, ...]] = ("file",)

    digits: NoOptions | None = Field(default=None, description="Handwritten digits of scikit-learn: 8 x 8, 10 classes")
    file: str | None = Field(
        default=None, description="An .npz file with x_train, y_train, x_test, y_test; labels from 0", min_length=1
    )


class BindingEntry(Entry):
    """Which inputs of the graph are fed with data."""

    images: str = Field(description="Input that holds a batch: [batch, ...]")
    targets: str = Field(description="Input that holds the labels of the batch as ones and zeros: [batch, classes]")


class SgdOptions(Entry):
    """Options of stochastic gradient descent."""

    momentum: Share = Field(default=0.0, description="Share of the last direction that is kept")
    nesterov: bool = Field(default=False, description="Nesterov's momentum")
    weight_decay: Amount = Field(default=0.0, description="Added to the gradient, times the weight")


class AdamOptions(Entry):
    """Options of Adam."""

    beta1: Share = Field(default=0.9, description="Of the average of gradients")
    beta2: Share = Field(default=0.999, description="Of the average of their squares")
    epsilon: Annotated[Number, Field(gt=0)] = Field(default=1e-8, description="Added to the root")
    weight_decay: Amount = Field(default=0.0, description="Of the weights, times the learning rate (AdamW)")


class OptimiserEntry(OneKind):
    """The rule that changes the weights."""

    sgd: SgdOptions | None = Field(default=None, description="Stochastic gradient descent")
    adam: AdamOptions | None = Field(default=None, description="Adam, with decay of weights AdamW")

    def options(self) -> dict[str, float]:
        """Return all options as numbers."""
        return {name: float(value) for name, value in getattr(self, self.kind).model_dump().items()}


class LearningRateEntry(Entry):
    """The learning rate in every step."""

    value: Annotated[Number, Field(gt=0)] = Field(description="The largest")
    schedule: Literal["constant", "cosine", "steps"] = Field(
        default="constant", description="cosine: down to zero at the last step; steps: times a factor again and again"
    )
    warmup: Annotated[Count, Field(ge=0, le=MAX_STEPS)] = Field(
        default=0, description="Steps in which it rises from zero"
    )
    every: Steps = Field(default=1000, description="Of the schedule steps: how many steps apart")
    factor: Annotated[Number, Field(gt=0, le=1)] = Field(default=0.1, description="Of the schedule steps")


class SparseTrainingEntry(Entry):
    """Which weights are kept while training."""

    method: MethodName = Field(
        default="dense",
        description="dense: all weights; static: a random pattern that stays; prune: all at first, then "
        "fewer and fewer by magnitude; set: connections drop by magnitude and "
        "grow at random; rigl: they grow where the dense gradient is largest",
    )
    density: Density = Field(default=1.0, description="Fraction of the weights kept, above 0 and at most 1")
    distribution: Literal["uniform", "er", "erk"] = Field(
        default="erk", description="How the density is distributed over the layers"
    )
    block_size: Extent = Field(default=1, description="Edge of the square blocks, in elements")
    drop_fraction: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=0.3, description="Share of the connections that the first change replaces; a cosine lowers it to zero"
    )
    every: Steps = Field(default=100, description="Steps between two changes")
    begin: Annotated[Count, Field(ge=0, le=MAX_STEPS)] | None = Field(
        default=None, description="Step before which connections stay; by default 0, of prune 5/16 of the training"
    )
    end: Steps | None = Field(
        default=None, description="Step after which connections stay; by default at three quarters of the training"
    )
    dense: tuple[str, ...] = Field(default=(), description="Weights that stay dense: names, or patterns such as *.head")
    oversize: Room = Field(
        default="auto",
        description="Room in the buckets beyond an even spread, of set and rigl; auto takes as much as is quickest",
    )


class TrainingEntry(Entry):
    """How ``ipusim train`` trains the network; other commands do not read it."""

    data: DataEntry | None = Field(
        default=None, description="Where images and labels come from; without, only costs can be asked for"
    )
    inputs: BindingEntry = Field(description="Which inputs are fed with them")
    loss: str = Field(
        default="",
        description="Tensor with one element that becomes small; by default the cross-entropy of the predictions, "
        "which is added to the network, and the input of the labels with it",
    )
    predictions: str = Field(
        default="",
        description="Tensor whose largest value of a row is the class: [batch, classes]; by default the only result",
    )
    optimiser: OptimiserEntry = Field(
        default_factory=lambda: OptimiserEntry(sgd=SgdOptions()), description="The rule that changes the weights"
    )
    learning_rate: LearningRateEntry = Field(description="The learning rate in every step")
    steps: Steps = Field(description="Number of steps")
    log_every: Steps = Field(default=100, description="Steps between two tests, log lines and checkpoints")
    accumulate: Annotated[Count, Field(ge=1, le=MAX_STEPS)] = Field(
        default=1, description="Batches whose gradients are added up on the chip for one step, the mean of them"
    )
    loss_scale: Scale = Field(
        default=1.0,
        description="A power of two that the loss is multiplied by, so that small gradients survive in narrow "
        "formats; auto: as large as it can be, halved where gradients overflow",
    )
    masters: Flag = Field(
        default=True, description="Update a float32 copy of weights that have narrower formats, with float32 states"
    )
    sparsity: SparseTrainingEntry = Field(
        default_factory=SparseTrainingEntry, description="Which weights are kept while training"
    )
