"""What is said about a document whose kind is not read here: what to do instead, or what was meant."""

from difflib import get_close_matches
from typing import Any, Final

from reconciler.manifests.admission import AdmittedKinds
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, quoted

_NEAR: Final = 0.8
"""Closer than Service and ServiceAccount, which have little to do with each other."""
_SEPARATELY: Final = "write each object as a document of its own, with `---` between them"


def unknown_kind(value: Any, kinds: AdmittedKinds) -> Finding:
    """What is wrong with a document, of any form, whose kind is not admitted."""
    if not isinstance(value, dict):
        message = "a manifest is an object with apiVersion and kind"
        return Finding((), Code.NOT_AN_OBJECT, message, "write one, or move the file away")
    if "kind" not in value or "apiVersion" not in value:
        missing = " and ".join(name for name in ("apiVersion", "kind") if name not in value)
        fix = f"add {missing}; a file that is no manifest belongs in a folder whose name starts with a dot"
        return Finding((), Code.NOT_AN_OBJECT, f"this is no manifest: {missing} missing", fix)
    kind = value["kind"]
    return Finding(("kind",), Code.UNKNOWN_KIND, f"{quoted(kind)} is not a kind here", _fix(kind, kinds))


def _fix(kind: Any, kinds: AdmittedKinds) -> str:
    if isinstance(kind, str):
        if kind in kinds.instead:
            return kinds.instead[kind]
        if kind.endswith("List"):
            return _SEPARATELY
        folded = {known.lower(): known for known in kinds.by_kind}
        if near := get_close_matches(kind[:80].lower(), folded, n=1, cutoff=_NEAR):
            return f"did you mean {folded[near[0]]}?"
    return f"known kinds: {', '.join(kinds.by_kind)}"
