"""The log store: what attempts and API callers write, kept in files, indexed, and read back as CloudWatch Logs events.

Output of an attempt goes to one append-only file that the engine hands to the process. Nothing of it passes through
here: `follow` looks at the sizes of these files and notes when which byte was there, `lines` cuts bytes into events
when they are read, and `seal` puts finished logs away. Events that callers put through the API are rows of the index.
"""
