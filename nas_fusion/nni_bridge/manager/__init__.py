"""NNI's manager and what is said to it: guarded start, the channel of trials, training services, the web UI."""
