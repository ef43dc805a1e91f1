"""The front door: what is spoken over HTTP."""
