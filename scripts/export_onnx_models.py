"""Exports the models of tests/data/onnx with PyTorch, whose two exporters write quite different graphs.

    python scripts/export_onnx_models.py tests/data/onnx

Needs torch, onnx and onnxscript; the files that are shipped came from torch 2.13.0 (CPU), onnx 1.23.2 and
onnxscript 0.7.2. Names say the exporter: `-ts` is TorchScript's, `-dynamo` that of torch.export.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

INT64 = torch.int64


class Chain(nn.Module):
    """Layers one after the other, with one input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Residual(nn.Module):
    """A basic block of a residual network with a strided shortcut, then the head of a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.shortcut = nn.Sequential(nn.Conv2d(8, 16, 1, stride=2, bias=False), nn.BatchNorm2d(16))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))
        return self.head(torch.flatten(self.pool(y), 1))


class Inverted(nn.Module):
    """An inverted bottleneck: depthwise convolution, squeeze and excitation, hard swish, group norm."""

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Conv2d(8, 24, 1)
        self.norm = nn.GroupNorm(4, 24)
        self.depth = nn.Conv2d(24, 24, 5, padding=2, groups=24)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(24, 8, 1), nn.ReLU(), nn.Conv2d(8, 24, 1), nn.Hardsigmoid()
        )
        self.shrink = nn.Conv2d(24, 8, 1)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm(self.grow(x)))
        y = self.act(self.depth(y))
        return x + nn.functional.leaky_relu(self.shrink(y * self.squeeze(y)), 0.1)


class Attention(nn.Module):
    """Self-attention as PyTorch writes it out, with padding hidden by a mask, and a normalised residual."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(24, 3, batch_first=True)
        self.norm = nn.LayerNorm(24)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        y, _ = self.attention(x, x, x, key_padding_mask=hidden)
        return self.norm(x + y)


class Recurrent(nn.Module):
    """A recurrent layer over a sequence and a projection of its last state."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layer(x)
        return self.head(y[:, -1])


class Recommender(nn.Module):
    """Tables of embeddings beside a small network of the dense features, their products, and a network on top."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(rows, 8) for rows in (50, 30, 20)])
        self.bottom = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(8 + 16, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        bottom = self.bottom(dense)
        rows = [bottom, *(table(ids[:, i]) for i, table in enumerate(self.tables))]
        stacked = torch.stack(rows, 1)
        products = torch.bmm(stacked, stacked.transpose(1, 2)).flatten(1)
        return self.top(torch.cat([bottom, products], 1))


class Sentence(nn.Module):
    """Token and position embeddings, a mask made of the lengths, and the mean of the words that are there."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(100, 16, padding_idx=0)
        self.places = nn.Embedding(32, 16)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 16)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.norm(self.words(ids) + self.places(places))
        m = mask.unsqueeze(-1).to(x.dtype)
        mean = (x * m).sum(1) / m.sum(1).clamp(min=1.0)
        y = torch.tanh(self.head(mean))
        return y / y.norm(dim=-1, keepdim=True).clamp(min=1e-6)


class RootMeanSquare(nn.Module):
    """Root-mean-square normalisation as networks of the LLaMA family write it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Decoder(nn.Module):
    """A causal decoder layer: rotary positions, grouped heads, gated feed-forward network, and logits."""

    def __init__(self, width: int = 32, heads: int = 4, groups: int = 2) -> None:
        super().__init__()
        self.heads, self.groups, self.features = heads, groups, width // heads
        self.words = nn.Embedding(64, width)
        self.norm1, self.norm2 = RootMeanSquare(width), RootMeanSquare(width)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, groups * self.features, bias=False)
        self.v = nn.Linear(width, groups * self.features, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, 48, bias=False), nn.Linear(width, 48, bias=False)
        self.down = nn.Linear(48, width, bias=False)
        self.logits = nn.Linear(width, 64, bias=False)

    def rotate(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[-2], dtype=x.dtype)
        rates = 10000.0 ** (-torch.arange(0, self.features, 2, dtype=x.dtype) / self.features)
        angles = torch.outer(places, rates).repeat(1, 2)
        low, high = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-high, low], -1) * angles.sin()

    def split(self, x: Tensor, heads: int) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], heads, self.features).transpose(1, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        y = self.norm1(x)
        q, k = self.rotate(self.split(self.q(y), self.heads)), self.rotate(self.split(self.k(y), self.groups))
        v = self.split(self.v(y), self.groups)
        k, v = (each.repeat_interleave(self.heads // self.groups, 1) for each in (k, v))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(x.shape))
        y = self.norm2(x)
        return self.logits(x + self.down(nn.functional.silu(self.gate(y)) * self.up(y)))


def perceptron() -> nn.Module:
    return Chain(
        nn.Linear(20, 32),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(32, 24),
        nn.GELU(),
        nn.Linear(24, 10),
        nn.LogSoftmax(-1),
    )


def convolutional() -> nn.Module:
    return Chain(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, dilation=2), nn.BatchNorm2d(12), nn.ELU(), nn.AvgPool2d(3, stride=2, padding=1),
        nn.Flatten(), nn.Linear(12 * 4, 10), nn.Softmax(1),
    )  # fmt: skip


def speech() -> nn.Module:
    return Chain(
        nn.Conv1d(8, 16, 5, stride=2, padding=2), nn.Softplus(), nn.MaxPool1d(3, 2), nn.Conv1d(16, 16, 3, groups=4),
        nn.InstanceNorm1d(16, affine=True), nn.SiLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


def encoder() -> nn.Module:
    return nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)


def settled(model: nn.Module) -> nn.Module:
    """Return the model for inference, with statistics and scales that are not merely zeros and ones."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d)):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
    return model.eval()


Build = Callable[[], nn.Module]

MODELS: dict[str, tuple[Build, tuple[Tensor, ...], list[str], list[dict[int, str]]]] = {
    "mlp": (perceptron, (torch.zeros(4, 20),), ["x"], [{0: "batch"}]),
    "cnn": (convolutional, (torch.zeros(2, 3, 14, 14),), ["x"], [{0: "batch"}]),
    "conv1d": (speech, (torch.zeros(2, 8, 40),), ["x"], [{}]),
    "resnet-block": (Residual, (torch.zeros(2, 8, 12, 12),), ["x"], [{0: "batch"}]),
    "mobilenet-block": (Inverted, (torch.zeros(2, 8, 9, 9),), ["x"], [{}]),
    "encoder": (encoder, (torch.zeros(2, 10, 32),), ["x"], [{0: "batch", 1: "sequence"}]),
    "attention": (Attention, (torch.zeros(2, 6, 24), torch.zeros(2, 6)), ["x", "hidden"], [{}, {}]),
    "lstm": (lambda: Recurrent(nn.LSTM(12, 16, batch_first=True, bidirectional=True), 32),
             (torch.zeros(3, 7, 12),), ["x"], [{}]),
    "gru": (lambda: Recurrent(nn.GRU(12, 16, num_layers=2, batch_first=True), 16),
            (torch.zeros(3, 5, 12),), ["x"], [{}]),
    "recommender": (Recommender, (torch.zeros(6, 6), torch.zeros(6, 3, dtype=INT64)), ["dense", "ids"],
                    [{0: "batch"}, {0: "batch"}]),
    "sentence": (Sentence, (torch.zeros(2, 9, dtype=INT64), torch.ones(2, 9, dtype=INT64)), ["ids", "mask"],
                 [{0: "batch", 1: "sequence"}, {0: "batch", 1: "sequence"}]),
    "decoder": (Decoder, (torch.zeros(2, 8, dtype=INT64),), ["ids"], [{0: "batch", 1: "sequence"}]),
}  # fmt: skip
"""Model, inputs, their names, and the dimensions that stay open."""

LEFT_OUT = {("encoder", False), ("gru", True), ("recommender", True), ("attention", True)}
"""Exports that fail (TorchScript cannot trace the layer), or whose graph is that of the other exporter."""


def export(name: str, folder: Path, dynamo: bool, half: bool = False) -> Path:
    build, inputs, names, open_dims = MODELS[name]
    torch.manual_seed(sum(map(ord, name)))
    with torch.no_grad():
        model = settled(build())
    if half:
        model, inputs = model.half(), tuple(each.half() for each in inputs)
    path = folder / f"{name}-{'dynamo' if dynamo else 'ts'}{'-half' if half else ''}.onnx"
    options: dict[str, Any] = {"input_names": names, "output_names": ["y"], "verbose": False}
    if dynamo:
        sizes = {dim: torch.export.Dim(dim, min=2, max=64) for dims in open_dims for dim in dims.values()}
        shapes = tuple({axis: sizes[dim] for axis, dim in dims.items()} for dims in open_dims)
        program = torch.onnx.export(model, inputs, dynamo=True, dynamic_shapes=shapes, opset_version=20, **options)
        program.save(path, external_data=False)
    else:
        axes = dict(zip(names, open_dims, strict=True))
        training = torch.onnx.TrainingMode.PRESERVE  # keeps batch normalisation apart from convolution
        torch.onnx.export(
            model, inputs, path, dynamo=False, dynamic_axes=axes, training=training, opset_version=17, **options
        )
    _without_notes(path)
    return path


def _without_notes(path: Path) -> None:
    """Take out what the exporters note of source lines and paths."""
    model = onnx.load(path)
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.save(model, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    torch.backends.mha.set_fastpath_enabled(False)
    exports = [(name, dynamo) for name in MODELS for dynamo in (False, True) if (name, dynamo) not in LEFT_OUT]
    for name, dynamo in exports:
        print(export(name, folder, dynamo))
    print(export("mlp", folder, dynamo=False, half=True))


if __name__ == "__main__":
    main()
