"""Wire formats, one folder each: domain values to packets and back. Knows `ports`, `domain` and `xmlsafe`."""
