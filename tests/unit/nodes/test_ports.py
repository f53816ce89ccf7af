"""Which ports of the bridge there are to bind: each start of a pod's container makes another one."""

from msgspec.structs import replace

from reconciler.model.observed import ObservedContainer
from reconciler.nodes.ports import ports_of

ONE = ObservedContainer(
    "c1", "web", "i", "running", "shop", mac="02:42:0a:f4:01:02", namespace_key="ab12", started_at="1"
)


def test_each_run_of_who_holds_an_address_is_another_port() -> None:
    assert len(ports_of([ONE, replace(ONE, started_at="2"), replace(ONE, mac="02:42:0a:f4:01:03")])) == 3
    for without in (replace(ONE, state="exited"), replace(ONE, mac=""), replace(ONE, namespace_key="")):
        assert ports_of([without]) == frozenset()
