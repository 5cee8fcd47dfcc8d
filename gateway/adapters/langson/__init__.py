"""Adapter for provincial axes of the Lang Son kind (axis.md 7)."""
