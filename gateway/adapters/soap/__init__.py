"""Adapter for provincial axes that speak eDoc SOAP (axis.md 9)."""
