"""BERT large; see :mod:`ipusim.frontends.models.bert`."""

from __future__ import annotations

from ipusim.frontends.models.bert import bert

MODEL = bert("bert-large", layers=24, hidden=1024, heads=16)
