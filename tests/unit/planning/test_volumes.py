"""Volumes: what is mounted, which directories are made, which files are written, for whom, and when again."""

from typing import Any

from msgspec.structs import replace

from reconciler.model.api.cluster import ClusterSpec, HostPathRule, PodSecurity
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.container import Container, ResourceRequirements, SecurityContext
from reconciler.model.api.core.env import EnvVar, ObjectFieldSelector, ResourceFieldSelector
from reconciler.model.api.core.pod import PodSecurityContext, PodSpec
from reconciler.model.api.core.volume import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.container_config import ClaimMount, HostMount, Mount, NfsMount
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.operations import MakeDirectory, VolumeFile, WriteFiles
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText
from reconciler.planning.kubelet.container_config import container_config
from reconciler.planning.kubelet.volumes import claim_volume, directories, stale_files
from tests.simulated import desired

UID = "01234567-89ab-5cde-a012-3456789abcde"
INTENT = PodIntent(UID, "default", "web-1", "node-000", "h", "r1", "10.244.0.2", labels={"app": "web"})
CONFIG, SECRET = Ref("ConfigMap", "default", "web"), Ref("Secret", "default", "key")
MEMORY, DISK = f"/run/reconciler/lab/pods/{UID}", f"/var/lib/reconciler/lab/pods/{UID}"
PASSWORD, BINARY = SecretText("canary"), SecretText("AP8=")


def wanted(**config: str) -> Desired:
    made = desired(
        ConfigMap(ObjectMeta("web", "default"), config or {"colour": "blue", "size": "3"}, {"logo": b"\x00\xff"}),
        Secret(ObjectMeta("key", "default"), {"password": PASSWORD}, binary_data={"cert": BINARY}),
        nodes=1,
    )
    return replace(made, digests={CONFIG: f"digest of {sorted(config)}", SECRET: "digest"})


WANTED = wanted()


def spec(volume: Volume, *containers: Container, **pod: Any) -> PodSpec:
    mount = VolumeMount(volume.name, "/data")
    return PodSpec(containers or (Container("app", "app:1", volume_mounts=(mount,)),), volumes=(volume,), **pod)


def written(volume: Volume, *containers: Container, **pod: Any) -> WriteFiles:
    (one,) = stale_files(INTENT, spec(volume, *containers, **pod), WANTED, {})
    return one


def files(volume: Volume, **pod: Any) -> list[tuple[str, object, int]]:
    return [(file.path, file.content, file.mode) for file in written(volume, **pod).files]


def under(policy: PodSecurity) -> Desired:
    return desired(nodes=1, cluster=ClusterSpec(pod_security=policy))


def mount_of(volume: Volume, env: tuple[EnvVar, ...] = (), under: Desired = WANTED, **mount: Any) -> Mount:
    container = Container("app", "i", env=env, volume_mounts=(VolumeMount(volume.name, "/data", **mount),))
    (one,) = container_config(INTENT, spec(volume, container), container, under).mounts
    return one


# --- what is mounted ----------------------------------------------------------------------------------------


def test_files_are_mounted_read_only_from_memory() -> None:
    volume = Volume("conf", config_map=ConfigMapVolumeSource("web"))
    assert mount_of(volume) == HostMount(f"{MEMORY}/conf", "/data", read_only=True)
    assert mount_of(volume, sub_path="size") == HostMount(f"{MEMORY}/conf", "/data", True, sub_path="size")


def test_an_empty_directory_is_on_disk_or_in_memory() -> None:
    assert mount_of(Volume("tmp", empty_dir=EmptyDirVolumeSource())) == HostMount(f"{DISK}/tmp", "/data")
    memory = Volume("tmp", empty_dir=EmptyDirVolumeSource("Memory"))
    assert mount_of(memory, read_only=True, sub_path="a") == HostMount(
        f"{MEMORY}/tmp", "/data", True, sub_path="a"
    )


def test_a_path_of_the_host_comes_with_what_must_be_there() -> None:
    volume = Volume("host", host_path=HostPathVolumeSource("/srv/data", "Directory"))
    plain = HostMount("/srv/data", "/data", kind="Directory", sub_path="a")
    privileged = under(PodSecurity("privileged"))
    assert mount_of(volume, sub_path="a", under=privileged) == plain


def test_a_path_of_the_host_stays_below_the_exception_that_allows_it() -> None:
    volume = Volume("host", host_path=HostPathVolumeSource("/srv/data"))
    plain = HostMount("/srv/data", "/data")
    for rules, beneath, makes in (
        ((), (), False),
        ((HostPathRule("/srv/data", read_only=False),), ("/srv/data",), True),
        ((HostPathRule("/srv", read_only=False), HostPathRule("/srv/data", read_only=False)), ("/srv",), True),
        ((HostPathRule("/srv", read_only=False, namespaces=("other",)), HostPathRule("/srv/data")), (), False),
        ((HostPathRule("/srv"),), (), False),
    ):
        expected = replace(plain, beneath=beneath, makes=makes)
        assert mount_of(volume, under=under(PodSecurity(host_paths=rules))) == expected, rules
    others = HostPathRule("/srv", read_only=False, namespaces=("other",))
    read = under(PodSecurity(host_paths=(others, HostPathRule("/srv/data"))))
    expected = replace(plain, read_only=True, beneath=("/srv", "/srv/data"), makes=False)
    assert mount_of(volume, under=read, read_only=True) == expected, "others may put a link at /srv/data"


def test_a_claim_is_a_docker_volume_with_the_claims_labels() -> None:
    volume = Volume("data", persistent_volume_claim=PersistentVolumeClaimVolumeSource("store", read_only=True))
    labels = {
        "reconciler.dev/cluster": "lab",
        "reconciler.dev/namespace": "default",
        "reconciler.dev/claim": "store",
    }
    assert mount_of(volume, sub_path="a") == ClaimMount("lab_default_store", "/data", labels, True, "a")
    assert claim_volume("lab", "default", "store") == "lab_default_store"


def test_nfs() -> None:
    volume = Volume("share", nfs=NFSVolumeSource("10.0.0.7", "/export/"))
    assert mount_of(volume) == NfsMount("10.0.0.7", "/export/", "/data")
    assert mount_of(volume, read_only=True, sub_path="a/b") == NfsMount("10.0.0.7", "/export/a/b", "/data", True)


def test_a_sub_path_may_be_made_of_variables_but_not_of_secrets() -> None:
    volume = Volume("tmp", empty_dir=EmptyDirVolumeSource())
    mount = mount_of(volume, (EnvVar("POD", "web-1"),), sub_path_expr="logs/$(POD)")
    assert isinstance(mount, HostMount)
    assert mount.sub_path == "logs/web-1"


# --- directories --------------------------------------------------------------------------------------------


def made(volume: Volume, **pod: Any) -> MakeDirectory:
    (one,) = directories(spec(volume, **pod), INTENT)
    return one


def test_only_empty_directories_are_made() -> None:
    assert made(Volume("tmp", empty_dir=EmptyDirVolumeSource())) == MakeDirectory(UID, "tmp")
    assert directories(spec(Volume("conf", config_map=ConfigMapVolumeSource("web"))), INTENT) == ()
    group = PodSecurityContext(fs_group=7)
    assert made(Volume("tmp", empty_dir=EmptyDirVolumeSource()), security_context=group).group == 7


def test_memory_is_bounded_by_what_is_asked_and_by_the_containers_limits() -> None:
    limited = (Container("app", "i", resources=ResourceRequirements(limits={"memory": Quantity.parse("64Mi")})),)
    sized = Volume("tmp", empty_dir=EmptyDirVolumeSource("Memory", Quantity.parse("1Gi")))
    assert made(sized) == MakeDirectory(UID, "tmp", True, 1 << 30)
    assert directories(spec(sized, *limited), INTENT)[0].size_bytes == 64 << 20
    unsized = Volume("tmp", empty_dir=EmptyDirVolumeSource("Memory"))
    assert directories(spec(unsized, *limited), INTENT)[0].size_bytes == 64 << 20
    assert made(unsized).size_bytes == 0
    assert made(Volume("tmp", empty_dir=EmptyDirVolumeSource("", Quantity.parse("1Gi")))).size_bytes == 0


# --- contents -----------------------------------------------------------------------------------------------


def test_every_key_of_a_map_is_a_file() -> None:
    assert files(Volume("conf", config_map=ConfigMapVolumeSource("web"))) == [
        ("colour", "blue", 0o644),
        ("logo", b"\x00\xff", 0o644),
        ("size", "3", 0o644),
    ]


def test_a_secret_is_readable_for_its_owner_alone() -> None:
    one = written(Volume("key", secret=SecretVolumeSource("key")))
    assert one.files == (
        VolumeFile("cert", BINARY, 0o400, encoded=True),
        VolumeFile("password", PASSWORD, 0o400),
    )
    assert "canary" not in repr(one)


def test_items_pick_keys_and_give_paths_and_modes() -> None:
    items = (KeyToPath("size", "etc/deep/size", 0o600), KeyToPath("colour", "c"))
    assert files(Volume("conf", config_map=ConfigMapVolumeSource("web", items, 0o640))) == [
        ("c", "blue", 0o640),
        ("etc/deep/size", "3", 0o600),
    ]


def test_what_is_optional_and_not_there_is_left_out() -> None:
    assert files(Volume("conf", config_map=ConfigMapVolumeSource("absent", optional=True))) == []
    assert files(Volume("key", secret=SecretVolumeSource("absent", optional=True))) == []
    items = (KeyToPath("absent", "a"), KeyToPath("size", "s"))
    assert files(Volume("conf", config_map=ConfigMapVolumeSource("web", items, optional=True))) == [
        ("s", "3", 0o644)
    ]


def test_the_pod_tells_of_itself() -> None:
    items = (
        DownwardAPIVolumeFile("labels", ObjectFieldSelector("metadata.labels")),
        DownwardAPIVolumeFile("cpu", resource_field_ref=ResourceFieldSelector("limits.cpu", "app"), mode=0o600),
    )
    assert files(Volume("pod", downward_api=DownwardAPIVolumeSource(items))) == [
        ("cpu", "0", 0o600),
        ("labels", 'app="web"', 0o644),
    ]


def test_of_several_sources_the_later_one_wins_a_path() -> None:
    sources = (
        VolumeProjection(
            config_map=ConfigMapProjection("web", (KeyToPath("size", "a"), KeyToPath("colour", "b")))
        ),
        VolumeProjection(secret=SecretProjection("key", (KeyToPath("password", "b"),))),
        VolumeProjection(
            downward_api=DownwardAPIProjection(
                (DownwardAPIVolumeFile("name", ObjectFieldSelector("metadata.name")),)
            )
        ),
    )
    assert files(Volume("all", projected=ProjectedVolumeSource(sources))) == [
        ("a", "3", 0o644),
        ("b", PASSWORD, 0o400),
        ("name", "web-1", 0o644),
    ]
    assert {mode for _, _, mode in files(Volume("all", projected=ProjectedVolumeSource(sources, 0o444)))} == {
        0o444
    }


# --- for whom -----------------------------------------------------------------------------------------------

KEY = Volume("key", secret=SecretVolumeSource("key"))


def reader(name: str = "app", user: int | None = None, image: str = "app:1") -> Container:
    mount = VolumeMount("key", "/key")
    return Container(name, image, volume_mounts=(mount,), security_context=SecurityContext(run_as_user=user))


def test_the_user_it_runs_as_owns_the_files_or_the_images_own() -> None:
    one = written(KEY, reader(user=1000))
    assert (one.owner, one.group, one.image) == (1000, None, "")
    unknown = written(KEY, reader())
    assert (unknown.owner, unknown.image) == (None, "app:1")
    pod = written(KEY, reader(), security_context=PodSecurityContext(run_as_user=5))
    assert pod.owner == 5


def test_only_who_mounts_it_reads_it() -> None:
    idle = Container("idle", "idle:1", security_context=SecurityContext(run_as_user=9))
    assert written(KEY, reader(user=1000), idle).owner == 1000
    assert written(KEY, idle, init_containers=(reader(user=1000),)).owner == 1000


def test_of_what_is_for_everyone_the_host_need_not_know_who_reads_it() -> None:
    config = written(Volume("conf", config_map=ConfigMapVolumeSource("web")))
    assert (config.owner, config.image) == (None, "")
    explicit = written(Volume("key", secret=SecretVolumeSource("key", default_mode=0o440)), reader())
    assert explicit.image == ""


def test_readers_of_several_users_can_all_read() -> None:
    for readers in (
        (reader(user=1), reader("b", 2)),
        (reader(), reader("b", image="b:1")),
        (reader(), reader("b", 2)),
    ):
        one = written(KEY, *readers)
        assert (one.owner, one.image) == (None, "")
        assert {file.mode for file in one.files} == {0o444}


def test_with_an_fs_group_the_group_reads() -> None:
    one = written(KEY, reader(user=1), reader("b", 2), security_context=PodSecurityContext(fs_group=7))
    assert (one.owner, one.group) == (None, 7)
    assert {file.mode for file in one.files} == {0o440}
    closed = Volume("key", secret=SecretVolumeSource("key", default_mode=0o400))
    grouped = written(closed, reader(), security_context=PodSecurityContext(fs_group=7))
    assert {file.mode for file in grouped.files} == {0o440}


def test_a_mode_that_is_given_is_obeyed() -> None:
    closed = Volume("key", secret=SecretVolumeSource("key", default_mode=0o600))
    assert {file.mode for file in written(closed, reader(user=1), reader("b", 2)).files} == {0o600}


# --- when ---------------------------------------------------------------------------------------------------

CONF = Volume("conf", config_map=ConfigMapVolumeSource("web"))


def test_nothing_is_written_while_the_right_files_are_there() -> None:
    one = written(CONF)
    assert stale_files(INTENT, spec(CONF), WANTED, {f"{UID}/conf": one.fingerprint}) == ()
    assert stale_files(INTENT, spec(CONF), WANTED, {f"{UID}/conf": "other"}) == (one,)
    assert stale_files(INTENT, PodSpec((Container("app", "i"),)), WANTED, {}) == ()


def test_another_content_is_written() -> None:
    before = {f"{UID}/conf": written(CONF).fingerprint}
    (one,) = stale_files(INTENT, spec(CONF), wanted(colour="red"), before)
    assert [file.content for file in one.files] == ["red", b"\x00\xff"]


def test_another_label_is_written_where_labels_are_read() -> None:
    volume = Volume(
        "pod",
        downward_api=DownwardAPIVolumeSource(
            (DownwardAPIVolumeFile("l", ObjectFieldSelector("metadata.labels")),)
        ),
    )
    in_force = {f"{UID}/pod": written(volume).fingerprint, f"{UID}/conf": written(CONF).fingerprint}
    relabelled = replace(INTENT, labels={"app": "web", "tier": "a"})
    assert stale_files(INTENT, spec(volume), WANTED, in_force) == ()
    assert len(stale_files(relabelled, spec(volume), WANTED, in_force)) == 1
    assert stale_files(relabelled, spec(CONF), WANTED, in_force) == ()


def test_every_volume_of_a_pod_is_looked_at() -> None:
    both = PodSpec((Container("app", "i"),), volumes=(CONF, KEY, Volume("tmp", empty_dir=EmptyDirVolumeSource())))
    assert [one.volume for one in stale_files(INTENT, both, WANTED, {})] == ["conf", "key"]


def test_only_what_is_mounted_by_the_containers_that_are_due_is_written_where_that_is_asked() -> None:
    init = Container("init", "init:1", volume_mounts=(VolumeMount("conf", "/c"),))
    both = PodSpec((reader(),), (init,), volumes=(CONF, KEY))
    assert [one.volume for one in stale_files(INTENT, both, WANTED, {}, due=(init,))] == ["conf"]
    assert [one.volume for one in stale_files(INTENT, both, WANTED, {}, due=both.containers)] == ["key"]
