"""Multi-trial searches: one candidate after the other, each trained for its share of the budget."""
