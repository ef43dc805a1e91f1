"""Requests that are carried out: importing this package fills the table of them."""

from tests.api.conformance.examples import definitions, jobs, resources, services

__all__ = ["definitions", "jobs", "resources", "services"]
