"""Starting workers, here or through a scheduler that somebody else wrote.

A worker is the user's own script. `run` hands a function to anything with `submit`, `command` starts
a command several times on this machine; `processes`, `ray` and `slurm` are what they need for it.
"""
