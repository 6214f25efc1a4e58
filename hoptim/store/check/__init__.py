"""Checks of a study's directory, their repair, and tests of whether a directory is fit for a study.

`inspection` looks at everything, `repair` mends what is safe; `directory` and `cross_process` test a
directory, from one machine or several.
"""
