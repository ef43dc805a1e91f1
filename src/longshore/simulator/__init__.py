"""What would have been: workloads replayed on virtual time, on a fleet that need not exist, by the server's scheduler.

A trace (`trace`) comes from a file (`swf`, `history`) or from a model (`models`). `replay` runs one under one policy
over a `fleet`; `comparison` does so for several at once, `measures` says how they did, and `charts` draws it. No clock
is read and nothing but files is touched.
"""
