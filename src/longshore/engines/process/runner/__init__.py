"""The runner: one small single-threaded process per data folder that starts attempts, waits for them and remembers.

It imports the standard library, msgspec, and `wire` and `crash` beside it; nothing else of Longshore.
"""
