"""Protobuf <-> domain, total in both directions; requests are refused with the path of every bad field."""
