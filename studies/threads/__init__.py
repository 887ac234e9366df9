"""How many threads the trainings of a study take."""
