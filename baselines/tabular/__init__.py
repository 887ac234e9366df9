"""What one would pick instead: logistic regression and boosted trees, by the libraries that everybody uses for them.

They are references: nothing is searched, no network is trained. They read the log as their users would give it to them,
numbers as numbers and categories as categories, and stop early on the validation rows.
"""
