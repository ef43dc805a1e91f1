"""Nouns and rules of batch computing: pure, without I/O, clock, randomness or wire names."""
