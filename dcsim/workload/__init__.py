"""What is to run: model architectures as operator counts, parallelism, traces."""
