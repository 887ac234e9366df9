"""Searches through NNI's training services: what a trial is told to do, and the trial itself."""
