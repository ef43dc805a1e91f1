"""Our own powers under `/longshore/`, for the command line and the console, and Prometheus' page."""
