"""Longshore: a batch computing service that you run yourself and that speaks the AWS Batch API."""

__version__ = "0.1.0"
