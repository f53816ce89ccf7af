"""The node's HAProxy: one system container on the host's network, and its configuration file. Called by setup.py.

A file is written beside the live one, checked by the HAProxy that is to run it, swapped in by a rename, reloaded,
and believed only when the new worker is there. If that fails, the file before it is back, and was in force all
along. The marker `in-force` says which file a worker has been seen with: a reload that we did not live to see is
repeated.

HAProxy refuses a whole file for one address that somebody else listens on. Such an address is left out, told of,
and tried again when it is free; every other service is heard, and kept up to date.
"""

import hashlib
import json
import re
import time
from collections.abc import Container, Iterable, Mapping
from typing import Any

from msgspec import Struct

from reconciler.model.names import LABEL_CLUSTER, LABEL_CONTAINER, LABEL_HASH, SYSTEM_PROXY
from reconciler.model.observed import ProxyState
from reconciler.model.operations import NodeProxy
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError, NotOurs
from reconciler.nodes.shell import Shell
from reconciler.nodes.watching import Watcher

INSIDE = "/etc/reconciler"
"""Where the container sees the host's directory; docs/reference/host-contract.md."""
_LIVE, _NEXT, _LAST, _MARKER, _MASTER = "haproxy.cfg", "next.cfg", "last.cfg", "in-force", "master.sock"
_RUN = (
    # There is no file to start with until the first one is checked, and that takes this container.
    f"until [ -s {INSIDE}/{_LIVE} ]; do sleep 0.05; done; "
    f"exec haproxy -W -S {INSIDE}/{_MASTER} -f {INSIDE}/{_LIVE}"
)
_CHECK_SECONDS = 10.0
_RELOAD_SECONDS = 5.0
_POLL_SECONDS = 0.01


def proxy_name(cluster: str) -> str:
    return f"{cluster}_proxy"


def state_directory(cluster: str) -> str:
    return f"/var/lib/reconciler/{cluster}"


class Proxy:
    """For one connection; used by the setup thread alone. `inside` is a shell in the container, `host` outside."""

    def __init__(self, cluster: str, engine: Engine, watcher: Watcher, host: Shell, inside: Shell) -> None:
        self._cluster = cluster
        self._directory = f"{state_directory(cluster)}/proxy"
        self._engine = engine
        self._watcher = watcher
        self._host = host
        self._inside = inside
        self._bound: frozenset[str] = frozenset()
        """What HAProxy has been told to bind, and may have done."""
        self._partial = Partial()

    def read_back(self) -> tuple[ProxyState, frozenset[str]]:
        """What is in force, and the `ip:port`s it balances over, from the host's files. Raises NodeError.

        Called when the connection is made."""
        marker = self._host.run(["cat", f"{self._directory}/{_MARKER}"]).out.strip()
        live = self._host.run(["cat", f"{self._directory}/{_LIVE}"]).out
        found = read_header(live)
        self._bound = read_binds(live)
        seen = found.fingerprint if found.fingerprint == marker and self._serves() else ""
        return ProxyState(fingerprint=seen, routed=found.routed), read_servers(live)

    def ensure(self, wanted: NodeProxy, now: ProxyState) -> ProxyState:
        """The state after trying. Raises NodeError where the host, not the configuration, is the trouble."""
        started = self.ensure_container(wanted.image)
        if now.fingerprint == wanted.fingerprint and not started:
            return ProxyState(fingerprint=now.fingerprint, routed=now.routed)
        taken = held_by_others(read_binds(wanted.config), self._bound, self._host.check(["ss", "-Hltnp"]))
        partial = Partial(wanted.fingerprint, taken)
        if taken and partial == self._partial and not started:
            return ProxyState(routed=wanted.routed, error=not_heard(taken))
        self._partial = Partial()
        config = without_binds(wanted.config, taken) if taken else wanted.config
        self._write_next(config)
        if trouble := self._check():
            return ProxyState(fingerprint=now.fingerprint, routed=now.routed, error=trouble)
        self._swap_in()
        self._bound |= read_binds(config)
        if trouble := self._reload():
            self._swap_back()
            return ProxyState(fingerprint=now.fingerprint, routed=now.routed | wanted.routed, error=trouble)
        self._bound = read_binds(config)
        if taken:
            self._partial = partial
            return ProxyState(routed=wanted.routed, error=not_heard(taken))
        self._mark(wanted.fingerprint)
        return ProxyState(fingerprint=wanted.fingerprint, routed=wanted.routed)

    def _serves(self) -> bool:
        """A worker is there. After a power cut only the files are; HAProxy cannot bind, and keeps starting."""
        existing = self._find(proxy_name(self._cluster))
        running = existing is not None and existing["State"]["Status"] == "running"
        return running and bool(current_workers(self._master("show proc")))

    # --- the container --------------------------------------------------------------------------------------

    def ensure_container(self, image: str) -> bool:
        """True if it had to be made or started."""
        name, request = proxy_name(self._cluster), container_request(self._cluster, image)
        existing = self._find(name)
        if existing is not None:
            labels = existing["Config"].get("Labels") or {}
            if (labels.get(LABEL_CLUSTER), labels.get(LABEL_CONTAINER)) != (self._cluster, SYSTEM_PROXY):
                raise NotOurs(f"a container named {name} exists and is not ours; rename or remove it by hand")
            crashes = existing["State"]["Status"] == "restarting"
            if labels.get(LABEL_HASH) == request["Labels"][LABEL_HASH] and not crashes:
                return self._start_if_needed(existing)
            if crashes:
                self._set_aside()
            with engine_errors(f"remove {name}"):
                self._engine.remove_container(existing["Id"], force=True, v=True)
            self._watcher.look_at(existing["Id"])
        self._host.check(["mkdir", "-p", "-m", "0755", self._directory])
        with engine_errors(f"create {name}"):
            made = self._engine.create(name, request)
        return self._start(made)

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            with engine_errors(f"inspect {name}"):
                found: dict[str, Any] = self._engine.inspect_container(name)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        return found

    def _start_if_needed(self, existing: dict[str, Any]) -> bool:
        match existing["State"]["Status"]:
            case "running":
                return False
            case "paused":
                with engine_errors("unpause the proxy"):
                    self._engine.unpause(existing["Id"])
                self._watcher.look_at(existing["Id"])
                return False
            case _:
                return self._start(existing["Id"])

    def _start(self, container_id: str) -> bool:
        try:
            with engine_errors("start the proxy"):
                self._engine.start(container_id)
        finally:
            self._watcher.look_at(container_id)
        return True

    # --- the configuration ----------------------------------------------------------------------------------

    def _write_next(self, config: str) -> None:
        self._host.check(["sh", "-c", 'cat >"$1"', "sh", f"{self._directory}/{_NEXT}"], stdin=config)

    def _check(self) -> str:
        """HAProxy's own words against the file; empty: it takes it."""
        reply = self._inside.run(["haproxy", "-c", "-f", f"{INSIDE}/{_NEXT}"], timeout=_CHECK_SECONDS)
        return "" if reply.status == 0 else haproxy_complaint(reply.err or reply.out)

    def _swap_in(self) -> None:
        script = 'cd "$1" && { [ ! -e "$2" ] || ln -f "$2" "$3"; } && mv -f "$4" "$2"'
        self._host.check(["sh", "-c", script, "sh", self._directory, _LIVE, _LAST, _NEXT])

    def _swap_back(self) -> None:
        script = 'cd "$1" && [ -e "$3" ] && mv -f "$3" "$2"'
        if self._host.run(["sh", "-c", script, "sh", self._directory, _LIVE, _LAST]).status == 0:
            self._reload()

    def _set_aside(self) -> None:
        """HAProxy does not start with the live file: a new container waits for the next one, and checks it."""
        script = 'cd "$1" && { [ ! -e "$2" ] || mv -f "$2" "$3"; }'
        self._host.check(["sh", "-c", script, "sh", self._directory, _LIVE, _LAST])

    def _mark(self, fingerprint: str) -> None:
        script = 'printf %s "$2" >"$1.tmp" && mv -f "$1.tmp" "$1"'
        self._host.check(["sh", "-c", script, "sh", f"{self._directory}/{_MARKER}", fingerprint])

    def _reload(self) -> str:
        """Why there is no new worker; empty: there is one."""
        deadline = time.monotonic() + _RELOAD_SECONDS
        # A master that is only starting may have read the file before: it is reloaded too, once it answers.
        while not (before := self._master("show proc")) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        said = self._master("reload")
        while "Success=0" not in said and time.monotonic() < deadline:
            if current_workers(self._master("show proc")) - current_workers(before):
                return ""
            time.sleep(_POLL_SECONDS)
        return f"HAProxy did not take over the new configuration: {haproxy_complaint(said) or self._last_words()}"

    def _master(self, command: str) -> str:
        """The reply of HAProxy's master process; empty while it does not answer."""
        script = 'echo "$1" | socat -t2 - "UNIX-CONNECT:$2"'
        return self._inside.run(["sh", "-c", script, "sh", command, f"{INSIDE}/{_MASTER}"]).out

    def _last_words(self) -> str:
        with engine_errors("the proxy's log"):
            log: bytes = self._engine.logs(proxy_name(self._cluster), tail=20)
        return haproxy_complaint(log.decode(errors="replace"))


class Partial(Struct, frozen=True):
    """A file in force without what others hold: the fingerprint of the whole, and who holds what."""

    fingerprint: str = ""
    taken: Mapping[str, str] = {}


class Header(Struct, frozen=True):
    fingerprint: str = ""
    routed: frozenset[str] = frozenset()


def read_header(text: str) -> Header:
    """The first two lines of a rendered haproxy.cfg: `# fingerprint: …`, `# routed: ip ip …`."""
    lines = "\n".join(text.splitlines()[:2])
    found = dict(re.findall(r"^# (fingerprint|routed):[ ]*(.*)$", lines, re.MULTILINE))
    return Header(found.get("fingerprint", "").strip(), frozenset(found.get("routed", "").split()))


def read_servers(config: str) -> frozenset[str]:
    """The `ip:port` of every server line."""
    return frozenset(re.findall(r"^\s+server \S+ ([\d.]+:\d+)", config, re.MULTILINE))


def read_binds(config: str) -> frozenset[str]:
    """The `ip:port` of every bind line."""
    return frozenset(re.findall(r"^\s+bind ([\d.]+:\d+)$", config, re.MULTILINE))


def without_binds(config: str, taken: Container[str]) -> str:
    """Without these bind lines, and without a fingerprint: it is not the file that was asked for."""
    lines = config.splitlines(keepends=True)[1:]
    kept = [line for line in lines if not (line.split()[:1] == ["bind"] and line.split()[1] in taken)]
    return "".join(["# fingerprint:\n", *kept])


def held_by_others(wanted: Iterable[str], ours: Container[str], listening: str) -> dict[str, str]:
    """Of the addresses to bind, those that another program listens on, with its name; from `ss -Hltnp`.

    An address is ours where HAProxy listens on just that one, and the file in force says so.
    """
    holders: dict[str, dict[str, str]] = {}
    for line in listening.splitlines():
        local = line.split()[3]
        name = found[1] if (found := re.search(r'users:\(\("([^"]*)"', line)) else "another program"
        if not (name == "haproxy" and local in ours):
            ip, _, port = local.rpartition(":")
            holders.setdefault(port, {})[ip.partition("%")[0]] = name
    taken = {}
    for bind in sorted(wanted):
        ip, _, port = bind.rpartition(":")
        held = holders.get(port, {})
        # `*` is every address of both families, which `[::]` is not.
        colliding = [
            held[at] for at in sorted(held) if at in (ip, "0.0.0.0", "*") or (ip == "0.0.0.0" and "[" not in at)
        ]
        if colliding:
            taken[bind] = colliding[0]
    return taken


def not_heard(taken: Mapping[str, str]) -> str:
    """The problem in words."""
    held = ", ".join(f"{bind} (held by {name})" for bind, name in sorted(taken.items()))
    return f"HAProxy cannot listen on {held}; all the rest is served. Stop what is there, or choose another port"


def current_workers(show_proc: str) -> frozenset[int]:
    """The pids under `# workers` in the master's `show proc`; those of `# old workers` are on their way out."""
    section, pids = "", set()
    for line in show_proc.splitlines():
        if line.startswith("# "):
            section = line[2:].strip()
        elif section == "workers" and line.split()[:1] and line.split()[0].isdigit():
            pids.add(int(line.split()[0]))
    return frozenset(pids)


def haproxy_complaint(output: str) -> str:
    """The lines that say what is wrong, without the clock and process in front of them."""
    lines = [line for line in output.splitlines() if "[ALERT]" in line] or output.strip().splitlines()[-5:]
    return "; ".join(re.sub(r"^.*\[ALERT\]\s*(\([^)]*\))?\s*:?\s*", "", line).strip() for line in lines)


def container_request(cluster: str, image: str) -> dict[str, Any]:
    """The body of Docker's create request; its own hash is one of the labels."""
    request: dict[str, Any] = {
        "Image": image,
        "Entrypoint": ["sh", "-c", _RUN],
        "Cmd": [],
        # As root: services listen on ports below 1024, on the host's own network.
        "User": "0:0",
        "Labels": {LABEL_CLUSTER: cluster, LABEL_CONTAINER: SYSTEM_PROXY},
        "HostConfig": {
            "NetworkMode": "host",
            "RestartPolicy": {"Name": "always"},
            "Binds": [f"{state_directory(cluster)}/proxy:{INSIDE}"],
        },
    }
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:10]
    return request | {"Labels": {**request["Labels"], LABEL_HASH: digest}}
