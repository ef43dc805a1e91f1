"""Drivers for what runs attempts, one folder each; none knows another."""
