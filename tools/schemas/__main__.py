"""`make schemas`: writes everything that is made from upstream's shapes, our types and the overlays."""

from tools.schemas.outputs import ROOT, outputs

for path, text in outputs().items():
    (ROOT / path).write_text(text, "utf-8")
