"""Packets in files, for people: what is it, what is wrong with it, make one, take one apart."""
