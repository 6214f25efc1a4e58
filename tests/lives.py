"""For tests: show, or judge IDENTITY [UID]; what a process with namespaces or a /proc of its own can tell.

`show` prints this process's identity and waits for the end of its input. `judge` prints whether another
process lives, as far as user and group UID can tell.
"""

import json
import os
import sys

from hoptim.store.process_identity import ProcessIdentity

if sys.argv[1] == "show":
    sys.stdout.write(json.dumps(ProcessIdentity.mine()) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
else:
    found = ProcessIdentity(*json.loads(sys.argv[2]))
    if len(sys.argv) > 3:
        os.setgroups([])
        os.setresgid(*[int(sys.argv[3])] * 3)
        os.setresuid(*[int(sys.argv[3])] * 3)
    sys.stdout.write(f"{found.lives()}\n")
