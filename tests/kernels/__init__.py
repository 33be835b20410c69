"""Tests of cnnfilter."""
