"""Starting workers, on this machine or through a scheduler that is there already.

One supervisor keeps workers running, whatever they are: calls that `hoptim.run` hands to an executor, or
processes of a command that `hoptim run` starts. `processes`, `ray` and `slurm` are for the former.
"""
