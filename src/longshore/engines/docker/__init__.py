"""Runs attempts as containers of a Docker-compatible engine. README.md here has its states and their sources."""
