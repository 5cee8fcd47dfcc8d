"""The face towards vendor systems: one gRPC contract, thin servicers that convert, call a port, render."""
