"""The throw-away cluster: real Docker engines and sshd on one machine, each in namespaces of its own.

`Lab.open().up()` brings it up; `lab.nodes` are hosts that can be stopped, paused, cut and healed.
"""

from reconciler.lab.errors import LabError
from reconciler.lab.host import Host, HostStatus
from reconciler.lab.lab import Lab
from reconciler.lab.state import LabNode

__all__ = ["Host", "Lab", "LabError", "LabNode", "HostStatus"]
