"""Learns the risk, applies it, explains it, and says how good it is."""
