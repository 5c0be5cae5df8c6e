"""Use cases of rules as people handle them: list, read, test, lint, translate."""
