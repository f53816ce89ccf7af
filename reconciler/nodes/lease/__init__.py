"""The lease on a host: whose it is, and how every channel proves it."""
