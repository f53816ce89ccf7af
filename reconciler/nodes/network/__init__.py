"""A host's network: its bridges, tunnels, routes and rules."""
