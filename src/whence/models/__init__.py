"""Nothing comes in; the model that ships with whence goes out, ready to score texts."""
