"""Use cases: one function each, called by every front end."""
