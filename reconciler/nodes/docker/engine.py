"""Docker's API over the SSH connection: the docker SDK, with `docker system dial-stdio` channels as its sockets.

The channels stay open between calls: one costs 110 ms to make, a call through it well under a millisecond.
Time-outs given to the SDK are deadlines here, for a whole reply and not for each of its bytes.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
import docker.auth
import docker.errors
import paramiko
import requests
import requests.adapters
import urllib3
import urllib3.connection

from reconciler.nodes.errors import ConnectionLost, EngineError, NodeError, OutcomeUnknown
from reconciler.nodes.ssh.channel_socket import ChannelSocket

_BASE_URL = "http://docker:2375"
"""Never resolved: every request goes through a channel."""
DIAL = ("docker", "system", "dial-stdio")
_NEWEST_KNOWN_API = (1, 48)
_OLDEST_KNOWN_API = (1, 41)

OpenChannel = Callable[[], paramiko.Channel]


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, open_channel: OpenChannel) -> None:
        super().__init__("docker")
        self._open_channel = open_channel

    def connect(self) -> None:
        self.sock = ChannelSocket(self._open_channel())
        self.sock.settimeout(None if self.timeout is None else float(self.timeout))

    @property
    def is_connected(self) -> bool:
        # urllib3 would ask the file descriptor, and paramiko make a pipe for every channel to have one.
        return isinstance(self.sock, ChannelSocket) and not self.sock.closed


class ChannelPool(urllib3.HTTPConnectionPool):
    """Lends channels for calls, at most `channels` at once: the next call waits for its turn. Channels close with
    their connection.
    """

    def __init__(self, open_channel: OpenChannel, channels: int) -> None:
        super().__init__("docker", maxsize=channels, block=True)
        self._open_channel = open_channel

    def _new_conn(self) -> _Connection:
        return _Connection(self._open_channel)


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, pool: ChannelPool) -> None:
        super().__init__()
        self._pool = pool

    def get_connection_with_tls_context(self, *_: object, **__: object) -> ChannelPool:
        return self._pool


class Engine(docker.APIClient):
    """The docker SDK's client of one host, for one API version; `timeout` is each call's deadline in seconds."""

    def __init__(self, pool: ChannelPool, version: str, timeout: float) -> None:
        super().__init__(base_url=_BASE_URL, version=version)
        self.timeout = timeout  # type: ignore[assignment]
        self._sdk: Any = self
        """The SDK's untyped and inner methods, for the calls it has no suitable one for."""
        self.trust_env = False
        self.mount("http://", _Adapter(pool))

    def ping_within(self, seconds: float) -> None:
        """Does it answer? NodeError if not."""
        with engine_errors("ping"):
            self._sdk._result(self._sdk._get(self._sdk._url("/_ping"), timeout=seconds))

    def create(self, name: str, request: dict[str, Any]) -> str:
        """The id of the container made from the body of a create request."""
        return str(self._sdk.create_container_from_config(request, name)["Id"])

    def events_since(self, moment: str, filters: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
        """All events after this moment of the host's clock, until the connection ends."""
        stream: Iterator[dict[str, Any]] = self._sdk.events(since=moment, filters=filters, decode=True)
        return stream

    def set_restart_policy(self, container_id: str, name: str) -> None:
        self._sdk.update_container(container_id, restart_policy={"Name": name})

    def set_limits(self, container_id: str, update: Mapping[str, int]) -> None:
        """(The SDK's own `update_container` does not know PidsLimit.)"""
        url = self._sdk._url("/containers/{0}/update", container_id)
        self._sdk._raise_for_status(self._sdk._post_json(url, data=dict(update)))

    def kill_within(self, container_id: str, signal: str, seconds: float) -> None:
        """(The SDK's own `kill` has the client's deadline, which is too long where the container's shim hangs.)"""
        url = self._sdk._url("/containers/{0}/kill", container_id)
        reply = self._sdk._post(url, params={"signal": signal}, timeout=seconds)
        self._sdk._raise_for_status(reply)

    def exec_output(self, exec_id: str, seconds: float, most: int) -> bytes:
        """Start what `exec_create` made, and what it writes until its end, in Docker's frames; `most` bytes of it.

        (The SDK reads the output from a socket, which a channel is not.)"""
        url = self._sdk._url("/exec/{0}/start", exec_id)
        reply = self._sdk._post_json(url, data={"Detach": False, "Tty": False}, stream=True, timeout=seconds)
        try:
            self._sdk._raise_for_status(reply)
            output: bytes = reply.raw.read(most)
            while reply.raw.read(most):
                pass
        finally:
            # Docker ends the connection after a stream of this kind.
            reply.raw.close()
        return output

    def pull_within(self, name: str, tag: str, login: str, silence: float) -> Iterator[dict[str, Any]]:
        """The progress of a pull, as Docker reports it; it breaks off after so many seconds without any.

        `login` is for X-Registry-Auth; empty: none. (The SDK's own `pull` takes no time-out.)"""
        reply = self._sdk._post(
            self._sdk._url("/images/create"),
            params={"fromImage": name, "tag": tag},
            headers={"X-Registry-Auth": login} if login else {},
            stream=True,
            timeout=silence,
        )
        self._sdk._raise_for_status(reply)
        connection = getattr(reply.raw, "connection", None)
        for progress in self._sdk._stream_helper(reply, decode=True):
            if connection is not None and connection.sock is not None:
                connection.sock.settimeout(silence)
            yield progress

    def login_for(self, registry: str) -> str:
        """Return what the reconciler's own user has from `docker login`, for X-Registry-Auth; empty: nothing."""
        header = docker.auth.get_config_header(self, registry)
        return header.decode() if isinstance(header, bytes) else str(header or "")

    def image_id(self, image: str) -> str:
        return str(self._sdk.inspect_image(image)["Id"])

    def image_user(self, image: str) -> str:
        """Return the image's `Config.User`; empty: root."""
        return str((self._sdk.inspect_image(image).get("Config") or {}).get("User") or "")

    def image_labels(self, image: str) -> Mapping[str, str]:
        labels: dict[str, str] = (self._sdk.inspect_image(image).get("Config") or {}).get("Labels") or {}
        return labels

    def follow_log(self, container_id: str) -> Iterator[bytes]:
        """What a container without a terminal writes from now on, in Docker's frames, until it ends.

        An empty piece first, as soon as Docker listens to it."""
        query = {"stdout": 1, "stderr": 1, "follow": 1, "tail": 0}
        url = self._sdk._url("/containers/{0}/logs", container_id)
        with engine_errors("follow a log"):
            reply = self._sdk._get(url, params=query, stream=True, timeout=None)
            self._sdk._raise_for_status(reply)
            yield b""
            yield from self._sdk._stream_raw_result(reply, chunk_size=None, decode=False)

    def log_tail(self, container_id: str, lines: int, seconds: float) -> bytes:
        """The last lines with Docker's time before each, in frames unless the container has a terminal."""
        query = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": lines}
        url = self._sdk._url("/containers/{0}/logs", container_id)
        reply = self._sdk._get(url, params=query, timeout=seconds)
        self._sdk._raise_for_status(reply)
        return bytes(reply.content)


def negotiate(pool: ChannelPool, timeout: float) -> str:
    """The newest API version that both sides know. NodeError, saying why, if Docker does not answer."""
    with requests.Session() as session, engine_errors("ping"):
        session.trust_env = False
        session.mount("http://", _Adapter(pool))
        reply = session.get(f"{_BASE_URL}/_ping", timeout=timeout)
        reply.raise_for_status()
        offered = tuple(int(part) for part in reply.headers.get("Api-Version", "0.0").split("."))
    if offered < _OLDEST_KNOWN_API:
        raise ConnectionLost(
            f"Docker there speaks API {'.'.join(map(str, offered))}; it takes Docker 20.10 or newer"
        )
    return ".".join(map(str, min(offered, _NEWEST_KNOWN_API)))


@contextlib.contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Everything that a call through the SDK can raise, in our words."""
    try:
        yield
    except docker.errors.APIError as error:
        status = error.response.status_code if error.response is not None else 500
        raise EngineError(status, str(error.explanation or error)) from error
    except NodeError:
        raise
    except requests.exceptions.HTTPError as error:
        raise EngineError(error.response.status_code if error.response is not None else 500, str(error)) from error
    except (requests.exceptions.Timeout, TimeoutError, urllib3.exceptions.TimeoutError) as error:
        raise OutcomeUnknown(f"Docker did not answer in time ({doing}); is dockerd hung?") from error
    except (
        requests.exceptions.RequestException,
        docker.errors.DockerException,
        urllib3.exceptions.HTTPError,
        paramiko.SSHException,
        OSError,
        EOFError,
        ValueError,
    ) as error:
        raise OutcomeUnknown(f"the reply of Docker was lost ({doing}): {error}; is dockerd running?") from error
