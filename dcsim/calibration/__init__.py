"""Measure, fit, Profile: what this machine and published runs say of the cost model."""
