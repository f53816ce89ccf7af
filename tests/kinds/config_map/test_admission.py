"""A ConfigMap's texts and bytes."""

from tests.good_revision import Load


def test_binary_data_is_base64_and_its_keys_its_own(load: Load) -> None:
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bytes}\n"
    result = load({"b.yaml": head + "data: {a: x}\nbinaryData: {a: AA==, b: '%'}\n"})
    assert [f"{problem.pointer} {problem.code}" for problem in result.problems] == [
        "/binaryData/a conflicting-fields",
        "/binaryData/b not-base64",
    ]
