"""For tests: DIR TIMES; counts up a file under the lock of its folder."""

import sys
from pathlib import Path

from hoptim.store.locking.lock import StudyLock

folder, times = Path(sys.argv[1]), int(sys.argv[2])
lock = StudyLock.of(folder)
counter = folder / "counter"
for _ in range(times):
    lock.acquire(None)
    value = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(value + 1))
    lock.release()
