"""How things look that are shown to people: the console, pages, drawings. What they say is said above."""
