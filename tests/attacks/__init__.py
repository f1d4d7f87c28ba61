"""Attacks on real processes: each is tried, refused with a definite error, and changes nothing."""
