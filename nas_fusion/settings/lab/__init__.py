"""Settings of the laboratory."""
