"""The create request of a container that we run on a host for the node, confined as all of them are. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.model.names import LABEL_CLUSTER, LABEL_CONTAINER
from reconciler.nodes.docker.create_request import hashed

_LOG: Final = {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}}


def system_request(
    cluster: str,
    part: str,
    image: str,
    entrypoint: Sequence[str],
    host_config: Mapping[str, Any],
    *,
    command: Sequence[str] = (),
    **fields: Any,
) -> dict[str, Any]:
    """The body of Docker's create request; its own hash is one of the labels.

    The container runs as root on the host's network, with a read-only file system and without capabilities;
    `host_config` adds what this part needs, such as `CapAdd` and `Binds`, and `fields` what else it is made of."""
    return hashed(
        {
            "Image": image,
            "Entrypoint": list(entrypoint),
            "Cmd": list(command),
            "User": "0:0",
            "Labels": {LABEL_CLUSTER: cluster, LABEL_CONTAINER: part},
            **fields,
            "HostConfig": {
                "NetworkMode": "host",
                "RestartPolicy": {"Name": "always"},
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "LogConfig": _LOG,
                **host_config,
            },
        }
    )
