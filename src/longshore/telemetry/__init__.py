"""What Longshore says about itself: logs and metrics. Nothing in here decides anything."""
