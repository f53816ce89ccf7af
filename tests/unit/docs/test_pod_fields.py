"""The page about the fields of a pod is complete, and says what the schemas do."""

from tests.unit.docs.pod_fields import PAGE, page, sections


def test_the_page_is_what_the_schemas_and_upstream_say() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.unit.docs.pod_fields`"


def test_every_field_says_what_becomes_of_it() -> None:
    told = {(section.type, field.name): field for section in sections() for field in section.fields}
    assert {field.answer for field in told.values()} == {"yes", "warning", "no"}
    assert all(field.note for field in told.values() if field.answer != "yes")
    assert told["Container", "livenessProbe"].answer == "yes"
    assert told["VolumeMount", "mountPropagation"].answer == "no"
    assert told["PodSpec", "serviceAccountName"].answer == "warning"
    assert len(told) > 200
