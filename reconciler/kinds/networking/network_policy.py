"""A NetworkPolicy: what traffic the pods that it selects may have."""

from reconciler.kinds.kind import Kind
from reconciler.manifests.admission import Admission
from reconciler.manifests.checks.network_policies import check_network_policy
from reconciler.manifests.reading.decoding import decode_as
from reconciler.model.api.networking import NetworkPolicy
from reconciler.model.kinds import Names
from reconciler.reporting.view import View, age_column, name_column

NETWORK_POLICY = Kind(
    names=Names(kind="NetworkPolicy", plural="networkpolicies", group="networking.k8s.io", short=("netpol",)),
    type=NetworkPolicy,
    admission=Admission(decode=decode_as(NetworkPolicy), validate=check_network_policy),
    view=View(columns=(name_column(), age_column())),
)
