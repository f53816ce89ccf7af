"""Every file that is made, as it should be checked in."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.schemas.generate import SHARED, Generator
from tools.schemas.pod_fields import page

ROOT: Final = Path(__file__).parents[2]


def outputs() -> Mapping[str, str]:
    """The texts of the files by their paths in this repository. Raises Unclassified, WrongOverlay."""
    schemas = Generator().files()
    texts = {
        f"schemas/{name}": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }
    return {**texts, "docs/reference/pod-fields.md": page(schemas[SHARED]["$defs"])}
