"""Records on disk: a study's journal behind its lock, its checkpoints, and its workers' heartbeats.

Knows no search algorithm: `params`, `x` and `memo` are JSON that it carries. Read it from the inside
out: `line_format` is the format of a line, `state` the fold of all records, `journal` how they get
on and off the disk, `transactions` how some are added, `store` the operations that do so.
"""
