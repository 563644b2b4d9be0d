"""Settings of every test: hypothesis without deadlines, and without chance in CI."""

import os

from hypothesis import settings

settings.register_profile(
    "whence", deadline=None, derandomize="CI" in os.environ, print_blob="CI" not in os.environ
)
settings.load_profile("whence")
