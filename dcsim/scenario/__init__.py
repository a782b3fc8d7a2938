"""What a user writes: the schema, loading with line numbers, resolving names."""
