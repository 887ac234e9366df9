"""A study before anything runs: its folder, its checks, and what its settings and its log are put together to."""
