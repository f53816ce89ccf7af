"""A program of its own, for a node's name servers: it answers for the names that dnsmasq would have to be
restarted for, or cannot answer for.

It imports nothing but Python's standard library (3.9 or later): `nodes/dns/container.py` hands it to the
container.
"""
