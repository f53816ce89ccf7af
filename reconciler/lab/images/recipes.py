"""What is in each image: the programs of Debian packages, a few files of ours, and how they start."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SUITE = "bookworm"
PACKAGES = (
    *("busybox", "dnsmasq-base", "haproxy", "nginx-light", "socat"),
    *("libpython3-stdlib", "python3-minimal"),
)


@dataclass(frozen=True)
class Layer:
    """Programs come with the shared libraries they need; `files` maps a path to a file in images/files."""

    name: str
    programs: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    """Whole directories of the packages, with the libraries that the shared objects in them need."""
    without: tuple[str, ...] = ()
    """What is left out of `trees`: names of directories and files in them, at any depth."""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    tag: str
    layers: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    port: int | None = None


LAYERS = {
    layer.name: layer
    for layer in (
        Layer(
            "base",
            programs=("/bin/busybox",),
            files={"etc/passwd": "passwd", "etc/group": "group", "bin/pause": "pause.sh"},
            directories=("proc", "sys", "dev", "root", "run", "tmp", "var/lib", "var/log", "var/tmp"),
        ),
        Layer(
            "web",
            programs=("/usr/sbin/nginx",),
            files={
                "bin/web": "web.sh",
                "bin/api": "api.sh",
                "bin/sidecar": "sidecar.sh",
                "etc/lab/serve.sh": "serve.sh",
                "etc/lab/site.conf": "site.conf",
                "etc/lab/sidecar.conf": "sidecar.conf",
            },
            directories=("var/log/nginx", "var/lib/nginx"),
        ),
        Layer(
            "proxy",
            programs=("/usr/sbin/haproxy", "/usr/sbin/dnsmasq", "/usr/bin/socat"),
            directories=("var/lib/haproxy", "var/lib/misc", "etc/haproxy"),
        ),
        Layer(
            "python",
            programs=("/usr/bin/python3.11",),
            trees=("/usr/lib/python3.11",),
            without=(
                *("__pycache__", "distutils", "idlelib", "lib2to3", "pydoc_data", "sqlite3", "test", "turtledemo"),
                *("curses", "ctypes", "dbm", "ensurepip", "tkinter", "unittest", "venv", "wsgiref", "xmlrpc"),
                "multiprocessing",
            ),
            links={"bin/python3": "../usr/bin/python3.11"},
        ),
        Layer("faulty", files={"bin/faulty": "faulty.py"}),
    )
}

IMAGES = (
    Image("lab/pause:1", ("base",), entrypoint=("/bin/pause",)),
    Image("lab/busybox:1", ("base",), command=("sh",)),
    *(
        Image(f"lab/web:{version}", ("base", "web"), ("/bin/web",), environment=(f"VERSION={version}",), port=8080)
        for version in ("1.0", "2.0", "broken")
    ),
    Image("lab/api:1.0", ("base", "web"), ("/bin/api",), environment=("VERSION=1.0",), port=9090),
    Image("lab/sidecar:1.0", ("base", "web"), ("/bin/sidecar",), environment=("VERSION=1.0",), port=9091),
    Image("lab/faulty:1", ("base", "python", "faulty"), command=("faulty",), port=8080),
    Image(
        "lab/proxy:1",
        ("base", "proxy", "python"),
        command=("haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"),
    ),
)
