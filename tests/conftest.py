"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# A shared machine may stall for a moment, so no example has a deadline; CI draws the same examples
# each time.
settings.register_profile("hoptim", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("hoptim")
