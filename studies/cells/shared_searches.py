"""Searches that several cells share, kept in the study folder."""

from nas_fusion.search.saved_search import load_search, save_search

__all__ = ["load_search", "save_search"]
