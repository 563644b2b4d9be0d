"""In: a number of units, a budget and a random generator; out: the masks to value."""
