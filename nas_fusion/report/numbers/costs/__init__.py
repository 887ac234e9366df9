"""What models cost beside how good they are: fronts of strategies and of searches, and who is as good for less."""
