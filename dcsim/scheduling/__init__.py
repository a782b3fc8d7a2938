"""Pure decision functions: which jobs start now, and where."""
