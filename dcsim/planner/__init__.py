"""The space of candidates, its evaluation, the frontier and its confidence."""
