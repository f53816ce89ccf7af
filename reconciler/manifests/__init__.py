"""From the bytes of a revision to the desired state, or to every reason why not. Pure.

A file goes `composing` (YAML) -> `schemas` and `explaining` (form) -> `decoding` (types) -> `objects`, `pod_specs`
and `service_specs` (sense) -> `uses` and `written` (what others need of it), all in `documents`, once for as long
as its bytes stay the same. `loader` then checks all objects against each other: `references`, `selectors`,
`security`, `backends`, `addresses`.
"""

from reconciler.manifests.loader import Loader

__all__ = ["Loader"]
