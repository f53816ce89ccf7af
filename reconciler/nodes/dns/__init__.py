"""The name servers of a node: their container, their files, and queries to them."""
