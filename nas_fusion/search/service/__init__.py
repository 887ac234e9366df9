"""Searches through NNI's training services: what a trial is told to do, and a one-shot search as one trial."""
