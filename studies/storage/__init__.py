"""Optuna's storage of a study: found by its URL, waited for while it is away, shared by processes that may die."""
