"""Signatures and keys: what a signed file is worth, and whether key files fit; imports ports, domain, observability."""
