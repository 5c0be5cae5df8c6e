"""Predicates, the SQL they become, and the engine that runs it."""
