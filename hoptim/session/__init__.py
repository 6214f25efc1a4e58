"""The one place that sees both halves: proposals of an optimizer become records of the store.

`session` lends trials and records how they end, `loop` hands them to a training script, `propose`
asks the optimizer, `present` shows records to users.
"""
