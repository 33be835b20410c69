"""Tests of network files."""
