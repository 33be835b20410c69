"""Kernels, weights and images for learning: fitted, trained, augmented."""
