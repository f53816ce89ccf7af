"""The prober: a program of its own that runs on every node with probed pods, and goes on while no master is there.

It imports nothing but Python's standard library (3.9 or later) and its own modules: `nodes/prober/session.py`
copies these files to the host, and runs them in a system container with Docker's socket and the host's network.
"""
