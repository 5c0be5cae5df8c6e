"""The store: events with their facts, kept as a Delta Lake table that other engines can read too."""
