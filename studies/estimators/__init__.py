"""Fusion models in scikit-learn's manner."""
