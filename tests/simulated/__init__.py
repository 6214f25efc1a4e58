"""A simulated system that the real store runs on: machines, processes, a file system, and faults.

From the inside out: `filesystem` keeps files and what of them is on the disk, `faults` draws what goes
wrong, `world` says whose turn it is, `threads` and `system` answer the calls of processes, `install`
puts both in the place of the real ones, `judge` watches what the store does, `study` trains on it.
`timed` is a world without faults whose calls take time, `fleet` many workers in it, `lock_queue` a model of
how they wait. `postgres` puts a server in the place of the file system.
"""
