"""`fit`: the best model of a log that a time limit allows, and why it is that one."""
