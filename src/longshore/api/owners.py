"""The server's own user, as the door knows it."""

#: In a request's state: whether it came through the Unix socket that only the server's user can open.
OWNERS = "owners"
