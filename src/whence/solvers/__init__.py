"""In: samples; out: a SetFunction fitted to them."""
