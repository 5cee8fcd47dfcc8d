"""The exchange axes as implementations of port Axis, one package per dialect. Imports ports, domain, observability."""
