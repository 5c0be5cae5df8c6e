"""Rules that look at several events: in the engine, over the keys that the passes kept."""
