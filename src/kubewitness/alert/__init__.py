"""From matches to what people read: group's events -> alert -> text, JSON, CSV or a page."""
