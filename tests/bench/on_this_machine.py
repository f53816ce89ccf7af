"""Bars of the pure packages: bytes to objects, and objects to a plan."""

import hashlib
import time
from collections.abc import Iterator
from statistics import median

import yaml

from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.desired import Desired, Revision, SourceFile, SourceSnapshot
from tests.bench.bars import Measured, at_least, at_most
from tests.planner import plan
from tests.simulated import simulated_cluster

MANIFESTS = 10_000

HEAD = """\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata:
  name: big
---
apiVersion: v1
kind: Node
metadata:
  name: node-1
  annotations:
    reconciler.dev/ssh: ssh://root@192.0.2.1
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  labels:
    app: app-{n}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: app-{n}
  template:
    metadata:
      labels:
        app: app-{n}
    spec:
      containers:
        - name: main
          image: registry.example.org/app-{n}:1.{replicas}
          ports:
            - name: http
              containerPort: 8080
          resources:
            requests:
              cpu: 100m
              memory: 64Mi
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: app-{n}
spec:
  selector:
    app: app-{n}
  ports:
    - name: http
      port: 80
      targetPort: http
"""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: app-{n}
data:
  LOG_LEVEL: info
  GREETING: hello from app-{n}
  settings.ini: |
    [main]
    workers = {replicas}
"""


def _file(path: str, text: str) -> SourceFile:
    content = text.encode()
    return SourceFile(path, hashlib.sha1(content).hexdigest(), content)


def _files() -> list[SourceFile]:
    files = [_file("a-cluster.yaml", HEAD)]
    kinds = (DEPLOYMENT, SERVICE, CONFIG_MAP)
    for number in range(MANIFESTS):
        text = kinds[number % 3].format(n=number // 3, replicas=1 + number % 7)
        files.append(_file(f"apps/{number:05}.yaml", text))
    return files


def manifests() -> Iterator[Measured]:
    files = _files()
    texts = [file.content.decode() for file in files[1:]]
    rates, ratios = [], []
    for _ in range(3):
        began = time.process_time()
        for text in texts:
            yaml.load(text, Loader=yaml.CSafeLoader)
        parsed = time.process_time() - began
        loader = Loader(ADMITTED)
        began = time.process_time()
        loaded = loader.load(SourceSnapshot(Revision("sha256:0", "bench"), tuple(files)))
        took = time.process_time() - began
        rates.append(MANIFESTS / took)
        ratios.append(100 * parsed / took)
        assert isinstance(loaded, Desired), loaded.problems[:3]
    yield at_least(f"cold load, parse, validate {MANIFESTS:,} manifests, CPU", median(rates), 5000, "/s")
    yield at_least("the same, against yaml.load with CSafeLoader", median(ratios), 130, "%")
    edits = []
    for number in range(1, 16):
        at = 3 * number + 1
        files[at] = _file(files[at].path, DEPLOYMENT.format(n=at // 3, replicas=20 + number))
        began = time.process_time()
        loaded = loader.load(SourceSnapshot(Revision(f"sha256:{number}", "bench"), tuple(files)))
        edits.append((time.process_time() - began) * 1000)
        assert isinstance(loaded, Desired)
    yield at_most(f"one file changed among {MANIFESTS:,}, median, CPU", median(edits), 2, "ms")


def planning() -> Iterator[Measured]:
    desired, observed, memory = simulated_cluster(nodes=100, pods=1000)
    times = []
    for number in range(20):
        began = time.process_time()
        planned = plan(desired, observed, memory, 1000.0 + number)
        times.append((time.process_time() - began) * 1000)
        assert planned.work == ()
        assert planned.changes == ()
        assert planned.converged
    yield at_most("no-op cycle, 100 nodes and 1,000 pods, CPU", median(times), 20, "ms")
