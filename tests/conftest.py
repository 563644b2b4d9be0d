"""Settings of every test: hypothesis without deadlines or chance in CI, one thread a worker."""

import os

# Tests that run side by side share the cores; libraries that each take all of them only spin.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from hypothesis import settings  # noqa: E402  numeric libraries read the variables when imported

settings.register_profile(
    "whence", deadline=None, derandomize="CI" in os.environ, print_blob="CI" not in os.environ
)
settings.load_profile("whence")
