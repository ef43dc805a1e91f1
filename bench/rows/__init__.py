"""The rows of the speed budget, one module each."""
