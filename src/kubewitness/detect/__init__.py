"""Sigma rules become predicates, predicates become one plan, matches become correlations."""
