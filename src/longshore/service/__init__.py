"""The use cases: each is one unit of work on the store. Callers' wishes are recorded here; `control` moves jobs."""
