"""Use cases that ask questions of events: filters, SQL, named hunts, facets, and whether an answer could be there."""
