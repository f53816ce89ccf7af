"""The profile: every plugin of the scheduler in the order in which they are asked, and the weights of scores."""

from typing import Final

from reconciler.planning.scheduling.framework import Profile
from reconciler.planning.scheduling.plugins.node_affinity import NODE_AFFINITY
from reconciler.planning.scheduling.plugins.node_name import NODE_NAME
from reconciler.planning.scheduling.plugins.node_ports import NODE_PORTS
from reconciler.planning.scheduling.plugins.node_ready import NODE_READY
from reconciler.planning.scheduling.plugins.node_resources_fit import NODE_RESOURCES_FIT
from reconciler.planning.scheduling.plugins.node_unschedulable import NODE_UNSCHEDULABLE
from reconciler.planning.scheduling.plugins.pod_address import POD_ADDRESS
from reconciler.planning.scheduling.plugins.pod_identity import POD_IDENTITY
from reconciler.planning.scheduling.plugins.pod_topology_spread import POD_TOPOLOGY_SPREAD
from reconciler.planning.scheduling.plugins.taint_toleration import TAINT_TOLERATION
from reconciler.planning.scheduling.plugins.volume_binding import VOLUME_BINDING

PROFILE: Final[Profile] = (
    POD_IDENTITY,
    VOLUME_BINDING,
    NODE_NAME,
    NODE_READY,
    NODE_UNSCHEDULABLE,
    TAINT_TOLERATION.weighing(1 << 96),
    NODE_AFFINITY,
    POD_TOPOLOGY_SPREAD.weighing(1 << 64),
    NODE_RESOURCES_FIT,
    NODE_PORTS,
    POD_ADDRESS,
)
"""The weights are so far apart that a score decides only where all that weigh more are equal."""
