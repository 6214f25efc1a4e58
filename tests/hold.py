"""For tests: DIR; takes the lock of a folder, says so, and keeps it until killed."""

import signal
import sys
from pathlib import Path

from hoptim.store.locking.lock import StudyLock

StudyLock.of(Path(sys.argv[1])).acquire(None)
print("held", flush=True)
signal.pause()
