"""Figures and moving pictures: the one place that knows matplotlib."""
