"""Numbers that others worked out, as tables."""
