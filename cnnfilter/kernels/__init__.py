"""Kernels: from words and files to weights."""
