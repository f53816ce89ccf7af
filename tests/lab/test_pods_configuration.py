"""What a pod is told: variables, and files that change under a running container, or roll its workload."""

from tests.lab.pods import STAY, Json, Stage, config_map, container, is_running, pod, restarts, secret, workload
from tests.lab.world import eventually

TOKEN = "canary-volume-91c"
IN_MEMORY = "/run/reconciler/test/pods"


def key(kind: str, name: str, of: str) -> Json:
    return {f"{kind}KeyRef": {"name": name, "key": of}}


def files(name: str, **source: object) -> Json:
    return {"name": name, **source}


def mount(name: str, path: str, **more: object) -> Json:
    return {"name": name, "mountPath": path, **more}


def test_variables_from_everywhere(stage: Stage) -> None:
    env = [
        {"name": "PLAIN", "value": "a"},
        {"name": "COMPOSED", "value": "$(PLAIN)-$(WORD)-$$(PLAIN)-$(ABSENT)"},
        {"name": "NESTED", "value": "$($(PLAIN))"},
        {"name": "DIGIT", "value": "<$(1st)>"},
        {"name": "WORD", "valueFrom": key("configMap", "words", "word")},
        {"name": "AFTER", "value": "$(WORD)!"},
        {"name": "TOKEN", "valueFrom": key("secret", "safe", "token")},
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in FIELDS.items()),
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "MAYBE", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "a", "optional": True}}},
    ]
    words = {"configMapRef": {"name": "words"}}
    main = container(
        env=env,
        envFrom=[words, {"prefix": "P_", **words}, {"secretRef": {"name": "safe"}}],
        resources={"limits": {"memory": "64Mi"}},
    )
    stage.put(
        config_map("words", word="hi", **{"1st": "one"}),
        secret("safe", token=TOKEN, login="me"),
        pod("told", main),
    )
    seen = stage.up("told")
    got = dict(line.split("=", 1) for line in stage.inside("told", "env").splitlines() if "=" in line)
    assert got["COMPOSED"] == "a-$(WORD)-$(PLAIN)-$(ABSENT)", "only what comes before is known, as upstream"
    assert (got["NESTED"], got["DIGIT"]) == ("$($(PLAIN))", "<one>")
    assert (got["AFTER"], got["P_word"], got["login"], got["TOKEN"]) == ("hi!", "hi", "me", TOKEN)
    assert (got["NAME"], got["SPACE"], got["NODE"]) == ("told", "default", "node-1")
    assert (got["IP"], got["UID_"]) == (seen["status"]["podIP"], seen["metadata"]["uid"])
    assert got["HOST"] == stage.world.lab.node("node-1").address
    assert (got["LABEL"], got["MEMORY"]) == ("told", "64")
    assert "MAYBE" not in got


FIELDS = {
    "NAME": "metadata.name",
    "SPACE": "metadata.namespace",
    "UID_": "metadata.uid",
    "LABEL": "metadata.labels['app']",
    "IP": "status.podIP",
    "HOST": "status.hostIP",
    "NODE": "spec.nodeName",
}


def test_a_missing_key_is_refused_at_its_place_and_nothing_changes(stage: Stage) -> None:
    words = config_map("words", word="hi")
    good = container(env=[{"name": "WORD", "valueFrom": key("configMap", "words", "word")}])
    stage.put(words, pod("careful", good))
    stage.up("careful")
    before = stage.container("careful")
    for bad in (
        container(env=[{"name": "WORD", "valueFrom": key("configMap", "words", "wrod")}]),
        container(volumeMounts=[mount("v", "/v")]),
    ):
        items = {"name": "words", "items": [{"key": "wrod", "path": "a"}]}
        mark = stage.write(words, pod("careful", bad, volumes=[files("v", configMap=items)]))
        problem = stage.running.wait_for("Problem", "wrod", since=mark)["message"]
        assert "test.yaml:" in problem
        line = int(problem.split("test.yaml:")[1].split(":")[0])
        text = (stage.world.folder / "test.yaml").read_text().splitlines()
        assert "wrod" in "".join(text[line - 2 : line + 2]), f"{problem} points at {text[line - 1]}"
        assert stage.container("careful") == before


def test_a_changed_config_volume_reaches_the_running_container_in_place(stage: Stage) -> None:
    main = container(
        volumeMounts=[
            mount("words", "/words"),
            mount("words", "/fixed", subPath="word"),
            mount("some", "/some", readOnly=True),
        ]
    )
    volumes = [
        files("words", configMap={"name": "words"}),
        files("some", configMap={"name": "words", "items": [{"key": "word", "path": "deep/er", "mode": 0o640}]}),
    ]
    stage.put(config_map("words", word="one", other="x"), pod("reader", main, volumes=volumes))
    stage.up("reader")
    before = stage.container("reader")
    assert stage.inside("reader", "cat", "/words/word", "/words/other", "/fixed") == "onexone"
    assert stage.inside("reader", "stat", "-L", "-c", "%a %n", "/some/deep/er") == "640 /some/deep/er"
    stage.put(config_map("words", word="two"), pod("reader", main, volumes=volumes))
    eventually(lambda: stage.inside("reader", "cat", "/words/word", "/some/deep/er") == "twotwo")
    assert stage.inside("reader", "ls", "/words") == "word", "the other key went"
    assert stage.inside("reader", "cat", "/fixed") == "one", "a subPath stays, as upstream"
    assert stage.container("reader") == before
    assert restarts(stage.pod("reader")) == 0


def test_readers_see_the_old_files_or_the_new_ones_never_a_mixture(stage: Stage) -> None:
    """Through one open look at the directory, as a careful program reads its files: `..data` is one link."""
    watch = (
        'while :; do d=$(readlink /v/..data); a=$(cat "/v/$d/a" 2>/dev/null) && b=$(cat "/v/$d/b" 2>/dev/null) '
        '&& { [ "$a" = "$b" ] || echo "mixed $a $b"; [ "$a" = "$last" ] || echo "$a"; last=$a; }; done'
    )
    main = container("main", watch, volumeMounts=[mount("v", "/v")])
    volumes = [files("v", configMap={"name": "twins"})]
    for number in range(5):
        stage.put(
            config_map("twins", a=f"{number}", b=f"{number}"),
            pod("watcher", main, volumes=volumes),
        )
        wait_for_line(stage, "watcher", str(number))
    told = stage_logs(stage, "watcher")
    assert told == ["0", "1", "2", "3", "4"]


def wait_for_line(stage: Stage, name: str, line: str) -> None:
    eventually(lambda: line in stage_logs(stage, name), 15, f"the line {line}")


def stage_logs(stage: Stage, name: str) -> list[str]:
    return stage.logs(name).split() if stage.containers(name) else []


def test_what_is_read_through_env_rolls_the_workload_and_so_do_volumes_that_ask_for_it(stage: Stage) -> None:
    by_env = container(env=[{"name": "WORD", "valueFrom": key("configMap", "words", "word")}])
    by_file = container(volumeMounts=[mount("words", "/words")])
    volumes = [files("words", configMap={"name": "words"})]
    asked = {"reconciler.dev/restart-on-change": "true"}
    workloads = [
        workload("by-env", by_env),
        workload("by-file", by_file, volumes=volumes),
        workload("asked", by_file, volumes=volumes, template=asked),
    ]
    stage.put(config_map("words", word="one"), *workloads)
    for each in workloads:
        stage.up(each["metadata"]["name"])
    names = ("by-env", "by-file", "asked")
    before = {name: stage.container(name).id for name in names}
    mark = stage.put(config_map("words", word="two"), *workloads)
    stage.running.converged(since=mark)
    after = {name: stage.container(name).id for name in names}
    assert {name for name in names if before[name] != after[name]} == {"by-env", "asked"}
    assert stage.inside("by-env", "sh", "-c", "echo $WORD") == "two"
    for name in ("by-file", "asked"):
        assert stage.inside(name, "cat", "/words/word") == "two"


def test_secret_files_are_in_memory_readable_for_the_pod_alone_and_gone_with_it(stage: Stage) -> None:
    volumes = [files("safe", secret={"secretName": "safe"})]
    mounts = [mount("safe", "/safe", readOnly=True)]
    stage.put(
        secret("safe", token=TOKEN),
        pod("keeper", container(volumeMounts=mounts), volumes=volumes),
        pod("user", container(volumeMounts=mounts, securityContext={"runAsUser": 1000}), volumes=volumes),
    )
    host = stage.world.lab.node("node-1")
    for name, user in (("keeper", "0"), ("user", "1000")):
        uid = stage.up(name)["metadata"]["uid"]
        assert stage.inside(name, "cat", "/safe/token") == TOKEN
        assert stage.inside(name, "stat", "-L", "-c", "%a %u", "/safe/token") == f"400 {user}"
        assert stage.inside(name, "stat", "-f", "-c", "%T", "/safe") == "tmpfs"
        assert host.run(["stat", "-c", "%a %u", f"{IN_MEMORY}/{uid}"]).stdout.split() == ["700", "0"]
        assert "Read-only" in stage.inside(name, "touch", "/safe/x")
        assert TOKEN not in str(stage.inspect(name))
    on_disk = host.run(["grep", "-rlF", TOKEN, "/var/lib/reconciler", "/var/lib/docker/containers"], check=False)
    assert on_disk.stdout == ""
    assert TOKEN not in str(stage.running.events)
    stage.clear()
    stage.gone("keeper")
    stage.gone("user")
    eventually(lambda: host.run(["ls", IN_MEMORY]).stdout.split() == [], 10, "the end of the files")


def test_downward_and_projected_volumes_and_what_is_optional(stage: Stage) -> None:
    volumes = [
        files("pod", downwardAPI={"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}),
        files(
            "all",
            projected={
                "sources": [
                    {"configMap": {"name": "words"}},
                    {"secret": {"name": "safe", "items": [{"key": "token", "path": "in/token"}]}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                    {"configMap": {"name": "absent", "optional": True}},
                ]
            },
        ),
        files("none", configMap={"name": "absent", "optional": True}),
    ]
    mounts = [mount("pod", "/pod"), mount("all", "/all"), mount("none", "/none")]
    stage.put(
        config_map("words", word="hi"),
        secret("safe", token=TOKEN),
        pod("mixed", container(volumeMounts=mounts), volumes=volumes),
    )
    stage.up("mixed")
    assert stage.inside("mixed", "cat", "/pod/labels") == 'app="mixed"'
    assert stage.inside("mixed", "cat", "/all/word", "/all/in/token", "/all/name") == f"hi{TOKEN}mixed"
    assert stage.inside("mixed", "ls", "/none") == ""


def test_files_that_were_damaged_or_removed_by_hand_come_back(stage: Stage) -> None:
    volumes = [files("words", configMap={"name": "words"})]
    stage.put(
        config_map("words", word="whole"),
        pod("mended", container("main", STAY, volumeMounts=[mount("words", "/words")]), volumes=volumes),
    )
    uid = stage.up("mended")["metadata"]["uid"]
    place = f"{IN_MEMORY}/{uid}/words"
    stage.world.lab.node("node-1").run(["sh", "-c", 'rm -rf "$0"/* "$0"/..data', place])
    stage.docker("restart", "-t", "1", stage.container("mended").id)  # Something to look at the host for.
    eventually(lambda: stage.inside("mended", "cat", "/words/word") == "whole", 45, "the files")
    stage.wait("mended", is_running)
