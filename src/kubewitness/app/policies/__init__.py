"""Use cases of audit policies: one module, one use case, and what they share."""
