"""A run directory: manifest, summary and Parquet tables."""
