"""The fusion space: its nodes, its legal designs, its supernet forms, and what a design has to keep."""
