"""Arrays in, arrays out: numerical kernels that know nothing of games or explanations."""
