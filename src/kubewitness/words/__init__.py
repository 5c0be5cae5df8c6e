"""How things are put into words: names of objects, lists, lines of JSON, and text from a log made safe to show."""
