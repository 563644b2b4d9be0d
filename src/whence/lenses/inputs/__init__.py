"""In: a model's callable and one input (a text, a table's row, an image); out: a Game."""
