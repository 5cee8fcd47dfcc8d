"""Domain values to packets: the XML, the dialects, the bytes and their length."""
