"""RBAC: what was used, the least that allows it, and what a given role would have allowed."""
