"""One file per artefact that a person reads."""
