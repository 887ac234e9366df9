"""The strategies that OptFusion is compared with; each file has a strategy and its entry."""
