"""What is wrong with a study's directory, what can be repaired, and whether a directory is fit for one.

`inspection` looks at everything, `repair` mends what is safe; `directory` and `between` try a
directory out, from one machine or several.
"""
