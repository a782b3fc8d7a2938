"""Terminal, figures, tables and PDF, from stored results alone."""
