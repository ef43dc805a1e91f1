"""The life of a job: its statuses, what may happen to it, and what follows."""
