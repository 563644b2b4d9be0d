"""Holds the entry of `python -m whence`: the same command line as `whence`."""

from whence.cli import main

if __name__ == "__main__":
    main()
