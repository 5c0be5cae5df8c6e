"""Use cases of the store: keeping events, and keeping the store itself."""
