"""Logs as streams of Arrow batches: one reader per format."""
