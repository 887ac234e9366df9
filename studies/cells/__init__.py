"""One cell: a strategy with a seed is searched, re-trained and tested, and its folder is written."""
