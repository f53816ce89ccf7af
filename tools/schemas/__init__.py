"""Makes `schemas/` and `docs/reference/pod-fields.md`: `make schemas` writes them, a test compares them.

A field's shape is upstream's, its support is whether our type has it, and the reasons are in `schemas/overlays/`.
"""
