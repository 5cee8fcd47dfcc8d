"""How a PDF begins."""

HEADER = b"%PDF"
HEADER_WITHIN = 1024
"""Readers accept rubbish before the header, up to this many bytes (ISO 32000-1, annex H.3, note 13)."""
