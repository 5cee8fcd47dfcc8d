"""Packets to domain values: the outer form, the light tree, the header."""
