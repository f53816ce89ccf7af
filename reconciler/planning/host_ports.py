"""Host ports: the ports of its node that a pod takes for itself."""

from reconciler.model.api.core.pod import PodSpec


def host_ports(spec: PodSpec | None) -> tuple[int, ...]:
    """List the ports of its node that a pod takes: on its host's network all that it names, as upstream."""
    if spec is None:
        return ()
    containers = (*spec.init_containers, *spec.containers) if spec.init_containers else spec.containers
    ports = [port for container in containers for port in container.ports]
    if spec.host_network:
        return tuple(port.host_port or port.container_port for port in ports)
    return tuple([port.host_port for port in ports if port.host_port])
