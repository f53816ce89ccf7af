"""The names of HAProxy's sections, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.names import Ref
from reconciler.model.sections import IngressSection, ServiceSection, section_called, sections_of

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True) | st.sampled_from(
    ["ingress", "https", "edge", "external", "clients"]
)
services = st.builds(
    ServiceSection,
    st.builds(Ref, st.just("Service"), names, names),
    names,
    st.sampled_from(["", "external", "edge"]),
)
ingresses = st.builds(
    IngressSection, st.builds(Ref, st.just("Ingress"), names, names), names, names, st.booleans()
)


@given(services | ingresses)
def test_a_name_says_which_section_it_is(section: ServiceSection | IngressSection) -> None:
    assert section_called(section.name) == section
    owner = section.service if isinstance(section, ServiceSection) else section.ingress
    assert section.name.startswith(sections_of(owner))


@pytest.mark.parametrize("name", ["ingress", "reloads", "ingress_shop_web_clients", "a_b", "a_b_c_d_e"])
def test_what_serves_nothing_by_itself_is_no_section(name: str) -> None:
    assert section_called(name) is None
