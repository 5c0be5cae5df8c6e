"""Types only: what an audit event is, where it came from, and what is said about it."""
