"""What is said of a pull: its progress, and why it failed with how to fix it."""

import pytest

from reconciler.nodes.images.pull_progress import PullProgress, failure


@pytest.mark.fault(53)
@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ('Get "https://r.org:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused', "nothing listens"),
        ('Get "https://r.org:5000/v2/": dial tcp: lookup r.org: no such host', "cannot resolve the name"),
        ("dial tcp: lookup r.org on [::1]:53: read udp: connection refused", "cannot resolve the name"),
        ('Get "https://r.org:5000/v2/": net/http: TLS handshake timeout', "does not answer"),
        ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "does not answer"),
        ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
        ("x509: certificate signed by unknown authority", "/etc/docker/certs.d/r.org:5000/ca.crt"),
        ("unauthorized: authentication required", "imagePullSecrets"),
        ("no basic auth credentials", "imagePullSecrets"),
        (
            "pull access denied for web, repository does not exist or may require 'docker login'",
            "imagePullSecrets",
        ),
        ("denied: you may not", "may not read this image"),
        ("manifest for r.org:5000/web:9 not found: manifest unknown", "check its name and tag"),
        ("toomanyrequests: You have reached your pull rate limit", "limits how often"),
        ("no matching manifest for linux/arm64 in the manifest list entries", "kind of processor"),
        ("write /var/lib/docker/tmp/x: no space left on device", "disk is full"),
    ],
)
def test_each_cause_has_its_fix(said: str, fix: str) -> None:
    reason, message = failure("r.org:5000/web:9", said)
    assert reason == "ErrImagePull"
    assert message.startswith(f"cannot pull r.org:5000/web:9: {said}; ")
    assert fix in message


def test_a_name_that_is_none_has_a_reason_of_its_own_and_the_unknown_is_told_as_it_is() -> None:
    assert failure("A B", "invalid reference format")[0] == "InvalidImageName"
    assert failure("web", "something new") == ("ErrImagePull", "cannot pull web: something new")


def test_progress_counts_layers_and_bytes() -> None:
    progress = PullProgress()
    assert progress.words() == "asking the registry"
    progress.hear({"status": "Pulling from team/web", "id": "1.0"})
    for layer in ("a", "b", "c"):
        progress.hear({"status": "Pulling fs layer", "id": layer})
    assert progress.words() == "0 of 3 layers"
    mib = 1 << 20
    progress.hear({"status": "Already exists", "id": "a"})
    progress.hear({"status": "Downloading", "id": "b", "progressDetail": {"current": 5 * mib, "total": 20 * mib}})
    assert progress.words() == "1 of 3 layers, 5 MiB of 20 MiB"
    progress.hear({"status": "Download complete", "id": "b"})
    progress.hear({"status": "Extracting", "id": "b", "progressDetail": {"current": 1, "total": 20 * mib}})
    assert progress.words() == "1 of 3 layers, 20 MiB of 20 MiB"
    progress.hear({"status": "Pull complete", "id": "b"})
    progress.hear({"status": "Digest: sha256:abc"})
    assert progress.words() == "2 of 3 layers, 20 MiB of 20 MiB"
