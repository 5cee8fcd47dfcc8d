"""Protobuf and gRPC modules generated from proto/ by proto/generate.py; nobody edits what is below."""
