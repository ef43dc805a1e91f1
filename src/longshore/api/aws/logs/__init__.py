"""Amazon CloudWatch Logs, as far as readers of job logs need it."""
