"""Real training jobs in NumPy: layers, losses, optimisers, data sets, the loop."""
