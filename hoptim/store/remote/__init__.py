"""Checkpoints in object storage, through fsspec; everything else of a study stays where it is.

Read it from the inside out: `address` is a URL as users write it, `trouble` what a refused call means and
whether it is tried again, `content` the digest of a checkpoint, `bucket` the objects of a study, `cache`
their copies on this machine, and `remote_checkpoints` what stands in the place of `Checkpoints`.
"""
