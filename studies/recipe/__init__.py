"""The recipe that fits a log: chosen by a short sweep on a hand-made reference, before anything is compared."""
