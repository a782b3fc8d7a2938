"""Graphs of the fabric, routing and counts of parts, emitted as plain arrays."""
