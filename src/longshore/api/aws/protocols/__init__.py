"""The AWS wire protocols, each over a table of operations and the handlers of those that are built."""
