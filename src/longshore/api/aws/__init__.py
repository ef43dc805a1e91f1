"""The AWS side of the front door."""
