"""Candidates: the space, its evaluation, the frontier, confidence and sensitivity."""
