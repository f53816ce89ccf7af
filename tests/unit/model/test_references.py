"""`$(NAME)` is read as Kubernetes does: cases of its own tests, and its scanner written out sign by sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.references import expand_references, references

VALUES = {
    "A": "aval",
    "B": "$(A)",
    "1digit": "one",
    "VAR_EMPTY": "",
    "odd name!": "odd",
    "$(A": "inner",
    "": "none",
}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(A)", "aval"),
        ("___$(A)___$(B)___", "___aval___$(A)___"),  # what a value holds is not read again
        ("$(VAR_EMPTY)x", "x"),
        ("$(ABSENT)-$(A)", "$(ABSENT)-aval"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$aval"),
        ("$$$$$$$(A)", "$$$aval"),
        ("$$$$$$(A)", "$$$(A)"),
        ("$A $ 5 $", "$A $ 5 $"),
        ("$(A", "$(A"),
        ("$(A$$", "$(A$"),
        ("$(A-$(A)", "$(A-$(A)"),  # one reference, to `A-$(A`
        ("$($(A)", "inner"),
        ("$($(A))", "inner)"),
        ("$($(B))", "$($(B))"),
        ("<$(1digit)>", "<one>"),
        ("$(odd name!)", "odd"),
        ("$(A )$( A)$(\n)", "$(A )$( A)$(\n)"),
        ("$()", "none"),
        ("$ä$(A)", "$äaval"),
        ("(A)$(A)$)", "(A)aval$)"),
    ],
)
def test_a_text_becomes(text: str, expanded: str) -> None:
    assert expand_references(text, VALUES.get) == expanded


def test_the_names_it_refers_to() -> None:
    assert references("$(A)/$$(B)/$($(1)/$(1x)/$(") == ("A", "$(1", "1x")


def upstream(text: str) -> str:
    out, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            out, at = out + text[at], at + 1
        elif text[at + 1] == "(" and (end := text.find(")", at)) > 0:
            name = text[at + 2 : end]
            out, at = out + VALUES.get(name, f"$({name})"), end + 1
        elif text[at + 1] == "$":
            out, at = out + "$", at + 2
        else:
            out, at = out + text[at : at + 2], at + 2
    return out


@given(st.text(alphabet="$$$(())A1 "))
def test_every_text_becomes_what_it_does_upstream(text: str) -> None:
    assert expand_references(text, VALUES.get) == upstream(text)
