"""Measurements, each as a ratio of two sides that take turns in one run: ``python -m benchmarks [NAME …]``."""
