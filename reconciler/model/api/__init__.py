"""The objects that manifests hold, typed: a strict subset of upstream Kubernetes, and our own kind `Cluster`.

There is a module, or a package, for each API group. Types and fields have Kubernetes' own names (camelCase
outside, snake_case here). Only fields that change something here have a place; the schemas say of every other
one whether it is accepted with a warning or refused. Built by `manifests` alone, after JSON Schema has accepted
the document.
"""
