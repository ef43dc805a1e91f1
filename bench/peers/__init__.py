"""What Longshore is measured against, each doing the same work."""
