"""The words of the trade as plain values and pure decisions; imports nothing but the standard library."""
