"""In: a SetFunction and samples it has not seen; out: how far to trust it."""
