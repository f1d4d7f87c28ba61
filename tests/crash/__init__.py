"""Nodes and logs that are stopped at every point at which something is stored or sent."""
