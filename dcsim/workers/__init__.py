"""Processes with one BLAS thread each, shared memory and timing."""
