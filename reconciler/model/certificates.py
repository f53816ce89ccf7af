"""Which certificates are to be asked for."""

from collections.abc import Mapping

from reconciler.model.acme import WantedCertificate
from reconciler.model.api.core.config import Secret
from reconciler.model.api.networking import Ingress
from reconciler.model.desired import Desired
from reconciler.model.ingress import is_served_here
from reconciler.model.names import Ref


def wanted_certificates(desired: Desired) -> Mapping[Ref, WantedCertificate]:
    """Return the certificates that Ingresses ask for, by the Secret that stands for each.

    None is asked for where a manifest has that Secret. Two Ingresses that name the same Secret share a certificate
    for the hosts of both.
    """
    secrets = desired.of(Secret)
    names: dict[Ref, set[str]] = {}
    users: dict[Ref, dict[Ref, None]] = {}
    for ref, ingress in sorted(desired.of(Ingress).items()):
        if not issues(ingress):
            continue
        for tls in ingress.spec.tls:
            secret = Ref("Secret", ref.namespace, tls.secret_name)
            if secret not in secrets and (hosts := tls.hosts or rule_hosts(ingress)):
                names.setdefault(secret, set()).update(hosts)
                users.setdefault(secret, {})[ref] = None
    return {
        secret: WantedCertificate(tuple(sorted(hosts)), tuple(users[secret])) for secret, hosts in names.items()
    }


def issues(ingress: Ingress) -> bool:
    """Whether certificates are asked for it; of a canary, they are its main Ingress' matter."""
    return ingress.options.acme and ingress.options.canary is None and is_served_here(ingress)


def rule_hosts(ingress: Ingress) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule.host for rule in ingress.spec.rules if rule.host))
