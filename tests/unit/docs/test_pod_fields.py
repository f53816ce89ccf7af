"""The page about the fields of a pod is complete, and says what the schemas do."""

from tools.schemas.generate import SHARED, Generator
from tools.schemas.pod_fields import sections


def test_every_field_says_what_becomes_of_it() -> None:
    found = sections(Generator().files()[SHARED]["$defs"])
    told = {(section.type, field.name): field for section in found for field in section.fields}
    assert {field.answer for field in told.values()} == {"yes", "warning", "no"}
    assert all(field.note for field in told.values() if field.answer != "yes")
    assert told["Container", "livenessProbe"].answer == "yes"
    assert told["VolumeMount", "mountPropagation"].answer == "no"
    assert told["PodSpec", "serviceAccountName"].answer == "warning"
    assert len(told) > 200
