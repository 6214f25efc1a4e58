"""Search algorithms: pure functions from a view of the population to a member's next proposal.

No files, no clock, no global randomness. `base` has the contract, `population` the arrays that optimizers
read, and each other file one algorithm.
"""
