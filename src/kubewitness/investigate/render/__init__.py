"""Renderers of what an investigation gives. Each takes it and a text stream, writes, and never closes the stream."""
