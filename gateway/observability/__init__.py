"""Logs and metrics: every name declared once, no document content in either."""
