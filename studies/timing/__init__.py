"""How long a study will take, what of it fits into a time limit, and how much of it is over."""
