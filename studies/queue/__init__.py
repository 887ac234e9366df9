"""Which cells and tuning trials are done, wait or run, and the processes that share them."""
