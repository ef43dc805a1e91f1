"""The scheduler on virtual time: from a present, what starts and ends when, by the same cycles as the server's."""
