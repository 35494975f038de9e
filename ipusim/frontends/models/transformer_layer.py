"""A layer of a transformer: attention and a feed-forward network, each with a residual and a norm.

Vaswani et al., "Attention is all you need" (2017); norms before the parts as in GPT-2 (Radford et al., 2019); grouped
heads: Ainslie et al., "GQA" (2023); gated activations: Shazeer, "GLU variants improve transformer" (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.frontends.models.builder import Builder


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What a layer is made of.

    Attributes
    ----------
    batch, rows : int
        Sequences, and tokens of each that pass through the layer at once.
    hidden, heads, kv_heads, ffn : int
        Features of a token, heads of queries, heads of keys and values, features inside the feed-forward network.
    cache : int
        Tokens before these whose keys and values are there already.
    causal : bool
        Whether a token sees no later one.
    norm : str
        ``layer_norm`` or ``rms_norm``.
    norm_first : bool
        Whether the norm stands before the part, and not behind the residual.
    activation : str
    gated : bool
        Whether the activation is multiplied by a second projection.
    bias : bool
        Whether projections add a bias.
    """

    batch: int
    rows: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    cache: int = 0
    causal: bool = False
    norm: str = "layer_norm"
    norm_first: bool = False
    activation: str = "gelu"
    gated: bool = False
    bias: bool = True


def add_layer(builder: Builder, name: str, x: str, shape: LayerShape) -> str:
    """Add a layer whose input and result are rows of tokens [batch * rows, hidden]."""
    for part, add in ((f"{name}.attention", _attention), (f"{name}.ffn", _ffn)):
        inside = builder.norm(f"{part}.norm", x, shape.hidden, shape.norm) if shape.norm_first else x
        residual = builder.op(f"{part}.residual", "add", x, add(builder, part, inside, shape))
        x = residual if shape.norm_first else builder.norm(f"{part}.norm", residual, shape.hidden, shape.norm)
    return x


def _attention(builder: Builder, name: str, x: str, shape: LayerShape) -> str:
    query = _heads(builder, f"{name}.query", x, shape, shape.heads)
    key, value = (_cached(builder, f"{name}.{part}", x, shape) for part in ("key", "value"))
    causal = {"causal": True} if shape.causal and shape.rows > 1 else {}
    context = builder.op(f"{name}.context", "attention", query, key, value, **causal)
    width = shape.heads * _head_features(shape)
    if shape.rows > 1:
        context = builder.op(f"{name}.joined", "transpose", context, axes=[0, 2, 1, 3])
    rows = builder.op(f"{name}.rows", "reshape", context, shape=[shape.batch * shape.rows, width])
    return builder.linear(f"{name}.output", rows, (width, shape.hidden), bias=shape.bias)


def _head_features(shape: LayerShape) -> int:
    return shape.hidden // shape.heads


def _heads(builder: Builder, name: str, x: str, shape: LayerShape, heads: int) -> str:
    """Add a projection and return its result as [batch, heads, rows, features]."""
    features = _head_features(shape)
    rows = builder.linear(name, x, (shape.hidden, heads * features), bias=shape.bias)
    if shape.rows == 1:
        return builder.op(f"{name}.heads", "reshape", rows, shape=[shape.batch, heads, 1, features])
    split = builder.op(f"{name}.split", "reshape", rows, shape=[shape.batch, shape.rows, heads, features])
    return builder.op(f"{name}.heads", "transpose", split, axes=[0, 2, 1, 3])


def _cached(builder: Builder, name: str, x: str, shape: LayerShape) -> str:
    """Add a projection of keys or values, behind those of earlier tokens."""
    new = _heads(builder, name, x, shape, shape.kv_heads)
    if not shape.cache:
        return new
    earlier = builder.data(f"{name}.cache", shape.batch, shape.kv_heads, shape.cache, _head_features(shape))
    return builder.op(f"{name}.all", "concat", earlier, new, axis=2)


def _ffn(builder: Builder, name: str, x: str, shape: LayerShape) -> str:
    """Add the two projections of the feed-forward network, or three where it is gated."""
    up = builder.linear(f"{name}.up", x, (shape.hidden, shape.ffn), bias=shape.bias)
    if shape.gated:
        gate = builder.linear(f"{name}.gate", x, (shape.hidden, shape.ffn), bias=shape.bias)
        active = builder.activation(f"{name}.{shape.activation}", shape.activation, gate)
        inside = builder.op(f"{name}.gated", "mul", active, up)
    else:
        inside = builder.activation(f"{name}.{shape.activation}", shape.activation, up)
    return builder.linear(f"{name}.down", inside, (shape.ffn, shape.hidden), bias=shape.bias, gain=2.0)
