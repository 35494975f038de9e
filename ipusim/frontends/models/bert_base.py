"""BERT base; see :mod:`ipusim.frontends.models.bert`."""

from __future__ import annotations

from ipusim.frontends.models.bert import bert

MODEL = bert("bert-base", layers=12, hidden=768, heads=12)
