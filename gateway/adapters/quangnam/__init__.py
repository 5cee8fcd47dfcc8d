"""Adapter for provincial facades of the Quang Nam kind (axis.md 7)."""
