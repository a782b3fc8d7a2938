"""A small real cluster of worker processes, and how well the simulator foretells it."""
