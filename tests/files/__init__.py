"""Tests of cnnfilter."""

from cnnfilter.files.formats import FORMATS, Kind

IMAGE_SUFFIXES = tuple(suffix for suffix, format_ in FORMATS.items() if format_.kind is Kind.IMAGE)
