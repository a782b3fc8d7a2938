"""Figures as SVG bytes, one message each; every function draws stored figures only."""
