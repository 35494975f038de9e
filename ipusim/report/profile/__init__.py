"""What reports show beyond the figures of a result: time and memory by superstep and by tile, bounded in size."""

from ipusim.report.profile.build import build_outline, build_profile

__all__ = ["build_outline", "build_profile"]
