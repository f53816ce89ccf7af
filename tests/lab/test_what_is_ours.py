"""What is ours on a host is compared with what is wanted by what it is: it is put right, and that is told."""

from tests.lab.pods import Json, Stage, config_map, container, pod, service, web
from tests.lab.world import eventually, fetch

PORT = 30095
MOUNTS = [
    {"name": "words", "mountPath": "/words"},
    {"name": "fast", "mountPath": "/fast"},
    {"name": "slow", "mountPath": "/slow"},
]
VOLUMES: list[Json] = [
    {"name": "words", "configMap": {"name": "words"}},
    {"name": "fast", "emptyDir": {"medium": "Memory"}},
    {"name": "slow", "emptyDir": {}},
]


def put(stage: Stage, word: str = "first") -> int:
    several = pod("several", web(), container("beside", volumeMounts=MOUNTS), volumes=VOLUMES)
    lone = pod("lone", container(volumeMounts=MOUNTS), volumes=VOLUMES)
    return stage.put(config_map("words", word=word), several, lone, service("several", PORT))


def host(stage: Stage, *command: str) -> str:
    return stage.world.lab.node("node-1").run(command, check=False).stdout.strip()


def answers(stage: Stage) -> bool:
    """The pod, through HAProxy and by its name, from a pod."""
    by_name = stage.inside("lone", "wget", "-qO-", "http://several")
    return "pod=several" in fetch(stage.world.url(PORT)) and "pod=several" in by_name


def has_its_volumes(stage: Stage, app: str, name: str, word: str) -> bool:
    """It reads what is written on the host now, and writes where the host sees it."""
    script = (
        "cat /words/word; echo; echo here >/fast/mark; echo here >/slow/mark; grep -c ' /fast tmpfs' /proc/mounts"
    )
    if stage.inside(app, "sh", "-c", script, name=name).split() != [word, "1"]:
        return False
    uid = stage.container(app, name).labels["reconciler.dev/uid"]
    marks = (f"/run/reconciler/test/pods/{uid}/fast/mark", f"/var/lib/reconciler/test/pods/{uid}/slow/mark")
    return host(stage, "cat", *marks).split() == ["here", "here"]


def test_interfaces_that_were_set_down_or_detached_are_put_right_and_told(stage: Stage) -> None:
    put(stage)
    stage.up("several")
    stage.up("lone")
    eventually(lambda: answers(stage), what="the service")
    index = stage.inside("lone", "cat", "/sys/class/net/eth0/iflink")
    (end,) = [
        line.split(": ")[1].partition("@")[0]
        for line in host(stage, "ip", "-o", "link", "show", "type", "veth").splitlines()
        if line.startswith(f"{index}: ")
    ]
    commands = {
        "rcn0": "ip link set rcn0 down; ip link set rcn-svc down; ip link set rcn-vx down mtu 1200",
        end: f"ip addr flush dev rcn0; ip link set rcn0 mtu 1280; ip link set {end} nomaster down",
    }
    for what, command in commands.items():
        mark = stage.running.mark()
        host(stage, "sh", "-c", command)
        stage.running.wait_for("NetworkRepaired", what, since=mark)
        eventually(lambda: answers(stage), what=f"the service after `{command}`")
    assert stage.docker("exec", "test_proxy", "cat", "/sys/class/net/rcn0/mtu") == "1500"


def test_directories_that_were_removed_are_made_again_and_what_had_them_mounted_has_the_new_ones(
    stage: Stage,
) -> None:
    put(stage, "third")
    stage.up("several")
    stage.up("lone")
    eventually(lambda: answers(stage), what="the service")
    mark = stage.running.mark()
    host(stage, "rm", "-rf", "--one-file-system", "/var/lib/reconciler/test")
    stage.running.wait_for("HostRepaired", "test_proxy", since=mark)
    stage.running.wait_for("HostRepaired", "test_dns", since=mark)
    whole(stage, "third")
    host(stage, "umount", "-R", "-l", "/run/reconciler/test")
    whole(stage, "third")
    put(stage, "second")
    whole(stage, "second")
    (memory,) = [host(stage, "sh", "-c", f"umount -l /run/reconciler/test/pods/{uid(stage)}/fast; echo done")]
    assert memory == "done"
    whole(stage, "second")


def uid(stage: Stage) -> str:
    return stage.container("lone").labels["reconciler.dev/uid"]


def whole(stage: Stage, word: str) -> None:
    for app, name in (("lone", "main"), ("several", "beside")):
        eventually(lambda app=app, name=name: has_its_volumes(stage, app, name, word), 60, f"{app} with {word}")  # type: ignore[misc]
    eventually(lambda: answers(stage), 60, "the service")
    for part in ("proxy", "dns", "boot"):
        eventually(lambda part=part: has_its_directory(stage, part), 30, part)  # type: ignore[misc]


def has_its_directory(stage: Stage, part: str) -> bool:
    """The system container."""
    pid = stage.docker("inspect", "-f", "{{.State.Pid}}", f"test_{part}", check=False)
    seen = (f"/proc/{pid}/root/etc/reconciler", f"/var/lib/reconciler/test/{part}")
    return len(set(host(stage, "stat", "-L", "-c", "%d:%i", *seen).split())) == 1
