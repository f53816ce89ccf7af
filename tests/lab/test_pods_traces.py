"""What pods leave on a host is wiped with them; once no master is at work there."""

from reconciler.lab import Lab
from tests.lab.conftest import restore


def test_nothing_of_earlier_pods_is_left_on_a_host(lab: Lab) -> None:
    restore(lab)
    for host in lab.nodes:
        assert "/reconciler/" not in host.run(["cat", "/proc/mounts"]).stdout
        assert host.run(["ls", "/var/lib/reconciler"], check=False).stdout == ""
