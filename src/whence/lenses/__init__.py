"""In: a model's callable and a thing (a text, an image, a model); out: a Game."""
