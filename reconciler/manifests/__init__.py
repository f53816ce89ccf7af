"""From the bytes of a revision to the desired state, or to every reason why not. Pure.

A file goes through `yaml/` (values and their places), `schemas` and `reading/` (form, then types), `checks/` and
`annotations/` (sense), once for as long as its bytes stay the same. `loader` then checks all objects against each
other (`across/`), and `assembler` puts the desired state together.
"""
