"""From the rows of a log to ids and values: which split, which rule, which id."""
