"""The vocabulary every other package speaks: frozen values, with no behaviour beyond their invariants."""
