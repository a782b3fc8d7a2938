"""Real jobs of a scenario, truly executed on this machine."""
