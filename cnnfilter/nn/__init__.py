"""Networks as values: layers, sizes, the language, network files. No arrays."""
