"""The process engine: attempts as plain processes, under one long-lived runner that outlives the server.

Nothing is imported here: the runner is part of this package and keeps its memory small.
"""
