"""What can become of a point or of a simulation of it."""

from __future__ import annotations

OK = "ok"
INFEASIBLE = "infeasible"
"""Does not fit."""

INVALID = "invalid"
"""There is no such chip."""

EXCLUDED = "excluded"
"""By a constraint on the parameters."""

FAILED = "failed"
STORED = (OK, INFEASIBLE, INVALID, EXCLUDED, FAILED)
"""What a results file has."""

NOT_ALLOWED = "constraint"
"""Simulated, and breaks a constraint on figures."""
