"""Addresses and names that are chosen once and remembered."""
