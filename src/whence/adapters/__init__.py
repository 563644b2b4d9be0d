"""A model framework's object comes in; a plain callable that scores a batch goes out."""
