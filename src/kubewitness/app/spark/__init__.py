"""Use cases on Spark: the events of a store, asked by a cluster."""
