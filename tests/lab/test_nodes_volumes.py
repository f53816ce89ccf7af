"""What a session keeps for pods on a real host and mounts into containers: whole, in memory, never outside."""

import base64
import time
from collections.abc import Iterator
from functools import partial

import pytest

from reconciler.lab import Lab
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.container_config import ClaimMount, HostMount, Mount
from reconciler.model.names import LABEL_CLAIM, LABEL_CLUSTER
from reconciler.model.operations import (
    ContainerStop,
    CreateContainer,
    MakeDirectory,
    Outcome,
    RemoveContainer,
    RemoveFiles,
    RemoveVolume,
    StartContainer,
    StopContainers,
    VolumeFile,
    WriteFiles,
)
from reconciler.model.secrets import SecretText
from reconciler.nodes import reset_node
from reconciler.nodes.pods.pins import SCRIPT
from tests.lab.world import eventually
from tests.node_host import (
    CLUSTER,
    RESETTER,
    Host,
    connect,
    credentials_of,
    labels,
    node_of,
    sandbox,
    set_up,
    started,
)

MEMORY = f"/run/reconciler/{CLUSTER}"
DISK = f"/var/lib/reconciler/{CLUSTER}"
CANARY = "canary-volume-71"


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with set_up(connect(node_of(lab), lab)) as host:
        yield host


def sh(lab: Lab, script: str) -> str:
    return lab.nodes[0].run(["sh", "-c", script]).stdout


def written(fingerprint: str, *files: VolumeFile, **other: object) -> WriteFiles:
    return WriteFiles("u1", "conf", files, fingerprint, **other)  # type: ignore[arg-type]


def created(host: Host, *mounts: Mount) -> Outcome:
    return host.do("u1", CreateContainer(sandbox(mounts=mounts)))


def test_files_are_whole_owned_executable_and_in_memory(lab: Lab, host: Host) -> None:
    began = time.time() - 1
    files = (
        VolumeFile("plain", "text\n", 0o644),
        VolumeFile("deep/er/secret", SecretText(CANARY), 0o440),
        VolumeFile("bytes", SecretText(base64.b64encode(bytes(range(256))).decode()), 0o400, encoded=True),
        VolumeFile("$(touch x) 'n", "#!/bin/sh\necho run\n", 0o755),
    )
    assert host.do("u1", written("f1", *files, owner=1000, group=2000)).failed is None
    volume = f"{MEMORY}/pods/u1/conf"
    assert sh(lab, f"stat -L -c '%a %u %g %s' {volume}/plain {volume}/deep/er/secret {volume}/bytes") == (
        f"644 1000 2000 5\n440 1000 2000 {len(CANARY)}\n400 1000 2000 256\n"
    )
    assert sh(lab, f"stat -f -c %T {volume}; stat -c %a {MEMORY}/pods/u1") == "tmpfs\n700\n"
    assert sh(lab, f"cd {volume}; './$(touch x) '\\''n'; ls | wc -l") == "run\n4\n"
    written_since = f"find /var/lib/reconciler /tmp /var/tmp -type f -newerct @{began:.0f}"
    assert not sh(lab, f"{written_since} -exec grep -l canary-volume {{}} + || true")
    assert CANARY not in sh(lab, "ps axww")


def test_a_change_is_seen_by_a_running_container_and_leaves_nothing_old(lab: Lab, host: Host) -> None:
    host.do("u1", written("f1", VolumeFile("a", "one", 0o644), VolumeFile("gone", "x", 0o644)))
    mount = HostMount(f"{MEMORY}/pods/u1/conf", "/conf", read_only=True)
    part = HostMount(f"{MEMORY}/pods/u1/conf", "/part", read_only=True, sub_path="a")
    config = sandbox(image="lab/busybox:1", command=("sleep", "1000"), mounts=(mount, part))
    assert host.do("u1", *started(config)).failed is None
    inside = ["exec", "web_POD", "sh", "-c", "cat /conf/a /part; ls /conf"]
    assert lab.nodes[0].docker(*inside).stdout == "oneonea\ngone\n"
    host.do("u1", written("f2", VolumeFile("a", "two", 0o644), VolumeFile("b/c", "new", 0o644)))
    assert lab.nodes[0].docker(*inside).stdout == "twooneadd\n".replace("add", "a\nb")
    assert sh(lab, f"ls -A {MEMORY}/pods/u1/conf").split() == ["..data", "..f2", "a", "b"]
    lab.nodes[0].docker("restart", "-t", "0", "web_POD")
    assert lab.nodes[0].docker("exec", "web_POD", "cat", "/part").stdout == "two"


def test_half_a_megabyte_is_written_and_another_session_finds_it(lab: Lab, host: Host) -> None:
    large = "".join(f"{number}\n" for number in range(90_000))
    assert host.do("u1", written("f1", VolumeFile("large", large, 0o644))).failed is None
    assert sh(lab, f"md5sum < {MEMORY}/pods/u1/conf/large") == sh(lab, "seq 0 89999 | md5sum")
    again = connect(node_of(lab), lab)
    try:
        seen = again.found()
        assert (dict(seen.files), set(seen.directories)) == ({"u1/conf": "f1"}, {"u1"})
    finally:
        again.session.close()


def test_the_default_reader_is_whom_the_image_runs_as(lab: Lab, host: Host) -> None:
    lab.nodes[0].docker("run", "--name", "made", "lab/busybox:1", "true")
    for user, owner, mode in (("1234:5", "1234", "400"), ("web", "0", "444"), ("", "0", "400")):
        lab.nodes[0].docker("commit", "-c", f"USER {user}" if user else "ENV A=1", "made", "lab/user:1")
        host.do("u1", written(f"f{owner}{mode}", VolumeFile("a", "x", 0o400), image="lab/user:1"))
        assert sh(lab, f"stat -L -c '%u %a' {MEMORY}/pods/u1/conf/a") == f"{owner} {mode}\n"
        lab.nodes[0].docker("rmi", "lab/user:1")
    lab.nodes[0].docker("rm", "made")


def test_directories_are_made_once_and_keep_what_is_in_them(lab: Lab, host: Host) -> None:
    make = (
        MakeDirectory("u1", "disk"),
        MakeDirectory("u1", "shared", group=3000),
        MakeDirectory("u1", "fast", memory=True, size_bytes=1 << 20, group=3000),
    )
    assert host.do("u1", *make).failed is None
    sh(lab, f"touch {DISK}/pods/u1/disk/kept {MEMORY}/pods/u1/fast/kept; chmod 0700 {DISK}/pods/u1/disk")
    assert host.do("u1", *make).failed is None
    places = f"{DISK}/pods/u1 {DISK}/pods/u1/disk {DISK}/pods/u1/shared {MEMORY}/pods/u1/fast"
    assert sh(lab, f"stat -c '%a %g' {places}") == "700 0\n700 0\n2777 3000\n2777 3000\n"
    assert sh(lab, f"ls {DISK}/pods/u1/disk {MEMORY}/pods/u1/fast | grep -c kept") == "2\n"
    assert sh(lab, f"grep -c ' {MEMORY}/pods/u1/fast ' /proc/mounts") == "1\n"
    full = f"dd if=/dev/zero of={MEMORY}/pods/u1/fast/big bs=1M count=3 2>&1 || true"
    assert "No space left" in sh(lab, full)


def test_what_is_removed_is_that_pods_and_nothing_else(lab: Lab, host: Host) -> None:
    for uid in ("u1", "u2"):
        host.do(uid, MakeDirectory(uid, "disk"), MakeDirectory(uid, "fast", memory=True))
    sh(lab, f"ln -s {DISK}/pods/u2/disk {DISK}/pods/u1/disk/link; touch {DISK}/pods/u2/disk/kept")
    assert host.do("u1", RemoveFiles("u1")).failed is None
    assert sh(lab, f"ls {DISK}/pods {MEMORY}/pods {DISK}/pods/u2/disk | tr '\\n' ' '").split() == [
        *(f"{MEMORY}/pods:", "u2", f"{DISK}/pods:", "u2", f"{DISK}/pods/u2/disk:", "kept")
    ]
    for uid in ("../u2", "", ".", "u2/disk", "a b", "u2/../u2"):
        assert host.do("u2", RemoveFiles(uid)).failed is not None
    assert sh(lab, f"ls {DISK}/pods/u2/disk") == "kept\n"
    host.session.close()
    reset_node(node_of(lab), Cluster(ObjectMeta(CLUSTER)), credentials_of(lab), RESETTER)
    assert sh(lab, f"ls -d {DISK} {MEMORY} 2>&1 | grep -c 'No such file'") == "2\n"


@pytest.mark.parametrize(
    ("kind", "path", "found"),
    [
        ("Directory", "/etc/hostname", "regular file"),
        ("DirectoryOrCreate", "/etc/hostname", "regular file"),
        ("File", "/etc", "directory"),
        ("Socket", "/etc", "directory"),
        ("Directory", "/nowhere/at-all", "nothing is there"),
        ("CharDevice", "/run/docker.sock", "socket"),
    ],
)
def test_a_host_path_of_another_type_is_told_with_what_is_there(
    host: Host, kind: str, path: str, found: str
) -> None:
    outcome = created(host, HostMount(path, "/x", kind=kind))  # type: ignore[arg-type]
    assert outcome.reason == "CreateContainerConfigError"
    assert path in outcome.message
    assert found in outcome.message
    assert host.container("web_POD") is None


def test_host_paths_are_made_where_that_is_asked_for(lab: Lab, host: Host) -> None:
    mounts = (
        HostMount("/srv/made/here", "/a", kind="DirectoryOrCreate"),
        HostMount("/srv/made/file", "/b", kind="FileOrCreate"),
        HostMount("/run/docker.sock", "/c", kind="Socket"),
        HostMount("/srv/any", "/d"),
    )
    try:
        assert created(host, *mounts).failed is None
        assert sh(lab, "stat -c '%F' /srv/made/here /srv/made/file /srv/any").split("\n")[:3] == [
            *("directory", "regular empty file", "directory")
        ]
    finally:
        sh(lab, "rm -rf /srv/made /srv/any")


def test_a_part_of_a_volume_never_leads_out_of_it(lab: Lab, host: Host) -> None:
    host.do("u1", MakeDirectory("u1", "disk"))
    source = f"{DISK}/pods/u1/disk"
    sh(lab, f"cd {source}; ln -s / root; ln -s ../../.. up; mkdir in; ln -s in link; ln -s {source}/in/x dangling")
    for part in ("root", "root/etc", "up", "../disk2", "../../../x", "link/../../disk2"):
        outcome = created(host, HostMount(source, "/x", sub_path=part))
        assert outcome.reason == "CreateContainerConfigError", part
        assert "leads out" in outcome.message
    assert (
        created(host, *(HostMount(source, f"/{i}", sub_path=p) for i, p in enumerate(("link", "new/dir")))).failed
        is None
    )
    assert sh(lab, f"ls {source}").split() == ["dangling", "in", "link", "new", "root", "up"]
    sources = lab.nodes[0].docker("inspect", "web_POD", "--format", "{{range .Mounts}}{{.Source}} {{end}}").stdout
    assert sorted(sources.split()) == [f"{MEMORY}/pins/u1/POD/{number}" for number in range(2)]
    assert all(
        same(lab, f"{MEMORY}/pins/u1/POD/{n}/", f"{source}/{part}") for n, part in enumerate(("in", "new/dir"))
    )


@pytest.mark.rule(3)
def test_a_part_that_was_swapped_for_a_link_stays_what_it_was_over_every_restart(lab: Lab, host: Host) -> None:
    node = lab.nodes[0]
    source = f"{DISK}/pods/u1/disk"
    mounts = HostMount(source, "/all"), HostMount(source, "/sub", sub_path="sub")
    script = "touch /sub/mine; sleep 1000"
    config = sandbox(image="lab/busybox:1", command=("sh", "-c", script), stop_grace_seconds=1, mounts=mounts)
    assert host.do("u1", MakeDirectory("u1", "disk"), *started(config)).failed is None
    fast = MakeDirectory("u2", "fast", memory=True)
    part = HostMount(f"{MEMORY}/pods/u2/fast", "/sub", sub_path="sub")
    other = sandbox("u2", "other_POD", "10.244.9.3", mounts=(part,))
    assert host.do("u2", fast, *started(other)).failed is None
    node.docker("exec", "web_POD", "sh", "-c", "mv /all/sub /all/old; ln -s / /all/sub")

    def run() -> str:
        return node.docker("inspect", "-f", "{{.State.Running}} {{.State.StartedAt}}", "web_POD").stdout

    def runs_again(before: str) -> bool:
        return run().startswith("true") and run() != before

    def shown() -> str:
        return node.docker("exec", "web_POD", "ls", "/sub").stdout.strip()

    for restart in ("crash", "docker", "dockerd"):
        before = run()
        pid = node.docker("inspect", "-f", "{{.State.Pid}}", "web_POD").stdout.strip()
        if restart == "crash":
            node.run(["kill", "-9", pid])
        elif restart == "docker":
            node.docker("restart", "-t", "0", "web_POD")
        else:
            sh(lab, "kill $(pidof dockerd)")
            eventually(lambda: not sh(lab, "pidof dockerd containerd || true"), 30, "the engine's end")
            node.start()
        eventually(partial(runs_again, before), 30, f"its start after {restart}")
        assert shown() == "mine", restart

    host.session.close()
    node.stop()
    node.start()
    assert "web_POD" not in node.docker("ps", "--format", "{{.Names}}").stdout, "before its pins are there"
    every = ["sh", "-c", SCRIPT, "pin", MEMORY, DISK, "all"]
    said = [line.split("\t")[:3] for line in node.run(every).stdout.splitlines()]
    assert said == [["failed", "u1/POD/0", "outside"], ["failed", "u2/POD/0", "nothing"]]
    assert node.docker("start", "web_POD", check=False).returncode != 0
    sh(lab, f"cd {source}; rm sub; mv old sub")
    for _ in range(2):
        assert node.run(every).stdout.split("\t")[:2] == ["pinned", "u1/POD/0"]
    node.docker("start", "web_POD")
    assert shown() == "mine"
    with set_up(connect(node_of(lab), lab)) as again:
        assert again.do("u2", StartContainer("other_POD")).reason == "CreateContainerConfigError", "no volume yet"
        assert again.do("u2", fast, StartContainer("other_POD")).failed is None
    assert same(lab, f"{MEMORY}/pins/u2/POD/0", f"{MEMORY}/pods/u2/fast/sub")


@pytest.mark.rule(3)
def test_a_part_is_never_led_out_while_a_pod_swaps_it(lab: Lab, host: Host) -> None:
    """By a link in the last place, and in the middle; every time, it is refused or it is the volume's."""
    source = f"{DISK}/pods/u1/disk"
    swap = (
        "cd /all; mkdir -p sub/deep; ln -s / out; ln -s sub/deep in; "
        "while :; do mv -T sub kept; mv -T out sub; mv -T sub out; mv -T kept sub; done 2>/dev/null"
    )
    config = sandbox(image="lab/busybox:1", command=("sh", "-c", swap), mounts=(HostMount(source, "/all"),))
    assert host.do("u1", MakeDirectory("u1", "disk"), *started(config)).failed is None
    device = sh(lab, f"stat -c %d {source}").strip()
    eventually(lambda: "in" in sh(lab, f"ls {source}").split())
    again = f"""
    for try in $(seq 15); do
        for part in sub sub/deep in sub/new; do
            sh -c "$0" pin {MEMORY} {DISK} new u1 app "find {source}
sub $part
end
" | cut -f1,3
            at={MEMORY}/pins/u1/app/0
            [ ! -e $at ] || [ "$(stat -L -c %d $at)" = {device} ] && [ ! -e $at/etc ] || echo ESCAPED
        done
    done
    """
    said = lab.nodes[0].run(["sh", "-c", again, SCRIPT], timeout=60).stdout.splitlines()
    assert "ESCAPED" not in said
    assert {line.split()[0] for line in said} == {"pinned", "failed"}, "or nothing was swapped"
    assert sh(lab, "ls -d /new /deep 2>/dev/null || true") == ""


def test_a_pin_is_of_what_is_there_and_goes_with_its_container(lab: Lab, host: Host) -> None:
    source = f"{DISK}/pods/u1/disk"
    host.do("u1", MakeDirectory("u1", "disk"))
    sh(
        lab,
        f"cd {source}; echo hello >file; ln -s file ln; mkfifo pipe; mkdir a; ln -s ../file a/up; ln -s x lost",
    )
    parts = ("file", "ln", "pipe", "a/up", "a/")
    mounts = [HostMount(source, f"/m{number}", sub_path=part) for number, part in enumerate(parts)]
    config = sandbox(image="lab/busybox:1", command=("sleep", "1000"), mounts=tuple(mounts))
    assert host.do("u1", *started(config)).failed is None
    shown = lab.nodes[0].docker("exec", "web_POD", "sh", "-c", "cat /m0 /m1 /m3; stat -c %F /m2 /m4").stdout
    assert shown == "hello\nhello\nhello\nfifo\ndirectory\n"
    sh(lab, f"umount {MEMORY}/pins/u1/POD/.0")
    with set_up(connect(node_of(lab), lab)):
        assert same(lab, f"{MEMORY}/pins/u1/POD/0", f"{source}/file"), "put right by whoever looks"
    ended = (StopContainers((ContainerStop("web_POD"),), 1), RemoveContainer("web_POD", "u1"))
    assert host.do("u1", *ended).failed is None
    assert nothing_pinned(lab)
    assert created(host, HostMount(source, "/x", sub_path="lost")).reason == "CreateContainerConfigError"
    assert created(host, mounts[0]).failed is None
    assert host.do("u1", RemoveContainer("web_POD", "u1"), RemoveFiles("u1")).failed is None
    assert nothing_pinned(lab)
    assert host.do("u1", MakeDirectory("u1", "disk"), CreateContainer(sandbox(mounts=mounts[-1:]))).failed is None
    host.session.close()
    reset_node(node_of(lab), Cluster(ObjectMeta(CLUSTER)), credentials_of(lab), RESETTER)
    assert sh(lab, f"ls -d {DISK} {MEMORY} 2>/dev/null; grep {MEMORY} /proc/mounts || true") == ""


@pytest.mark.rule(3)
def test_a_path_of_the_host_is_really_below_the_exception_that_allows_it(lab: Lab, host: Host) -> None:
    """Below /run, as all else is the machine's that the hosts of the lab share."""
    top, inner = "/run/lent", "/run/lent/inner"
    sh(
        lab,
        f"rm -rf {top} /run/outside; mkdir -p {top}/in /run/outside; cd {top}; "
        "ln -s in alias; ln -s .. up; ln -s /run/outside out; "
        "ln -s /run/outside inner; mkfifo pipe; echo x >file; ln -s file link; ln -s in/new dangling",
    )
    refused: list[tuple[HostMount, str]] = [
        (HostMount(f"{top}/out", "/x", beneath=(top,)), "leads to /run/outside"),
        (HostMount(f"{top}/out/new", "/x", beneath=(top,)), "leads to /run/outside"),
        (HostMount(f"{top}/up/outside", "/x", beneath=(top,)), "leads to /run"),
        (HostMount(f"{top}/in/../../outside", "/x", beneath=(top,)), "leads to /run"),
        (HostMount(f"{inner}/new", "/x", beneath=(top, inner)), "leads to /run/outside"),
        (HostMount(inner, "/x", beneath=(top, inner), makes=False), "leads to /run/outside"),
        (HostMount(f"{top}/out/new", "/x", kind="FileOrCreate", beneath=(top,)), "leads to /run/outside"),
        (HostMount(top, "/x", sub_path="out/new", beneath=(top,)), "leads out of its volume"),
        (HostMount(f"{top}/new", "/x", beneath=(top,), makes=False), "nothing is there"),
        (HostMount(f"{top}/in", "/x", sub_path="new", beneath=(top,), makes=False), "nothing is made there"),
        (HostMount(f"{top}/new/file", "/x", kind="FileOrCreate", beneath=(top,)), "nothing is there"),
        (HostMount(f"{top}/pipe", "/x", kind="File", beneath=(top,)), "it is a fifo"),
        (HostMount(f"{top}/in", "/x", kind="File", beneath=(top,)), "it is a directory"),
        (HostMount(f"{top}/file", "/x", kind="Directory", beneath=(top,)), "it is a regular file"),
        (HostMount(f"{top}/in", "/x", beneath=()), "no exception"),
    ]
    for mount, words in refused:
        outcome = created(host, mount)
        assert outcome.reason == "CreateContainerConfigError", mount
        assert words in outcome.message, (mount, outcome.message)
        assert host.container("web_POD") is None
    assert sh(lab, f"ls {top}/in /run/outside").split() == ["/run/lent/in:", "/run/outside:"]
    allowed = (
        HostMount(f"{top}/alias", "/0", beneath=(top,)),
        HostMount(f"{top}/in/made/deep", "/1", kind="DirectoryOrCreate", beneath=(top,)),
        HostMount(f"{top}/in/empty", "/2", kind="FileOrCreate", beneath=(top,)),
        HostMount(f"{top}/link", "/3", kind="File", beneath=(top,), makes=False),
        HostMount(f"{top}/pipe", "/4", beneath=(top,)),
    )
    assert created(host, *allowed).failed is None
    for number, path in enumerate(("in", "in/made/deep", "in/empty", "file", "pipe")):
        assert same(lab, f"{MEMORY}/pins/u1/POD/{number}", f"{top}/{path}")


def test_a_container_from_before_pins_is_made_anew_instead_of_started(lab: Lab, host: Host) -> None:
    host.do("u1", MakeDirectory("u1", "disk"))
    source = f"{DISK}/pods/u1/disk"
    sh(lab, f"mkdir {source}/sub")
    words = [f"--label={name}={value}" for name, value in labels("u1", "POD").items()]
    bind = f"--mount=type=bind,src={source}/sub,dst=/sub"
    lab.nodes[0].docker("create", "--name", "web_POD", *words, bind, "lab/busybox:1", "sleep", "1000")
    outcome = host.do("u1", StartContainer("web_POD"))
    assert outcome.reason == "FailedMount"
    assert "made anew" in outcome.message
    assert "web_POD" not in lab.nodes[0].docker("ps", "-a", "--format", "{{.Names}}").stdout


def same(lab: Lab, one: str, other: str) -> bool:
    return len(set(sh(lab, f"stat -L -c %d:%i {one} {other}").split())) == 1


def test_a_claims_volume_is_kept_until_it_is_removed_and_only_ours_is(lab: Lab, host: Host) -> None:
    owned = {LABEL_CLUSTER: CLUSTER, LABEL_CLAIM: "data"}
    name = f"{CLUSTER}_default_data"
    whole, part = ClaimMount(name, "/data", owned), ClaimMount(name, "/part", owned, sub_path="a/b")
    assert host.do("u1", *started(sandbox(mounts=(whole, part)))).failed is None
    lab.nodes[0].docker("volume", "create", "foreign")
    with set_up(connect(node_of(lab), lab)) as another:
        assert another.look().volumes == frozenset({name}), "told from the first moment on"
    for volume in (name, "foreign"):
        assert host.do("u1", RemoveVolume(volume)).failed is not None
    ended = (StopContainers((ContainerStop("web_POD"),), 1), RemoveContainer("web_POD", "u1"))
    assert host.do("u1", *ended).failed is None
    assert created(host, part).failed is None
    assert "web_POD" in host.do("u1", RemoveVolume(name)).message
    assert host.do("u1", RemoveContainer("web_POD", "u1")).failed is None
    assert name in lab.nodes[0].docker("volume", "ls", "-q").stdout
    for _ in range(2):
        assert host.do("u1", RemoveVolume(name)).failed is None
    assert host.look().volumes == frozenset()
    assert lab.nodes[0].docker("volume", "ls", "-q").stdout.split() == ["foreign"]
    lab.nodes[0].docker("volume", "rm", "foreign")


def nothing_pinned(lab: Lab) -> bool:
    left = sh(lab, f"ls {MEMORY}/pins {DISK}/pins; grep {MEMORY}/pins/ /proc/mounts || true").split()
    return left == [f"{MEMORY}/pins:", f"{DISK}/pins:"]
