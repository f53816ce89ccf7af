"""One SSH connection: host keys, channels, a shell with framed replies, and signs of life."""
