"""Use cases of an investigation."""
