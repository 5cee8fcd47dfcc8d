"""What docs/generate.py prints: one module a page or a family of pages, no text that the code already says."""
