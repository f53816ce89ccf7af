"""A Cluster: settings of the cluster as a whole. The one kind that is ours."""

from reconciler.kinds.cluster.cluster_admission import CLUSTER_ADMISSION
from reconciler.kinds.kind import Kind
from reconciler.model.api.cluster import Cluster
from reconciler.model.kinds import Names
from reconciler.model.names import GROUP
from reconciler.reporting.view import View, age_column, name_column

CLUSTER = Kind(
    names=Names(kind="Cluster", plural="clusters", group=GROUP, namespaced=False),
    type=Cluster,
    admission=CLUSTER_ADMISSION,
    view=View(columns=(name_column(), age_column())),
)
