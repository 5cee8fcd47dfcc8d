"""The VXP REST interface that vendor systems with a national SDK speak to (axis.md 2 to 5)."""
