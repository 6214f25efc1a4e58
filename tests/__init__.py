"""Tests, and what they share: run them with pytest from the root of the repository."""

import os

# Set before numpy is imported: several processes test at a time, and on busy cores the threads of BLAS wait
# for each other, by which a small solve of PB2 took minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
