"""Choices between ops: plans, mappings and groups that are best for the whole graph."""
