"""One-shot searches: one supernet, from which the design is derived."""
