"""Protection of data: encryption, rules of access and residency, the audit chain."""
