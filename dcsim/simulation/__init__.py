"""The SimPy model: nodes, fluid network, storage, failures, checkpoints, jobs."""
