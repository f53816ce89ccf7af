"""Ingresses on real hosts: hosts and paths, TLS, and pods that come and go behind them."""

import json
import re
import socket
import ssl
import time
from pathlib import Path

from cryptography import x509

from reconciler.lab import Lab
from tests.acme_server import AcmeServer, acme_server
from tests.certificates import signed
from tests.lab.world import World, asked, cluster, deployment, eventually

HOST = "shop.example.org"


def test_pods_behind_an_ingress_answer_by_host_and_path_in_plain_and_over_tls(lab: Lab, tmp_path: Path) -> None:
    world = World(lab, tmp_path)
    chain, key = signed(HOST, start=time.time() - 60, end=time.time() + 86400)
    world.write("web.yaml", "---\n".join([deployment("web", 1), SERVICE, INGRESS, secret(chain, key)]))
    edge = lab.records[0].ip
    with world.run() as running:
        running.converged()
        assert asked(edge, f"http://{HOST}/shop/x")[0] == "200"
        assert asked(edge, f"http://{HOST}/other")[0] == "404"
        assert asked(edge, "http://nobody.example.org/shop")[0] == "404"
        status, text = asked(edge, f"https://{HOST}/shop")
        assert (status, "pod=" in text) == ("200", True)
        world.write("web.yaml", "---\n".join([deployment("web", 3), SERVICE, INGRESS, secret(chain, key)]))
        eventually(lambda: len({pod(edge) for _ in range(9)}) == 3)
        shown = world.cli("describe", "ingress", "web", "-o", "json", *world.host_options)
        told = {each["node"]: each["ports"] for each in json.loads(shown.stdout)["traffic"]}
    assert told.keys() == {host.name for host in lab.nodes}, "without a label every host is an edge"
    (backend,) = told[lab.records[0].name]
    assert (backend["service"], backend["port"], len(backend["backends"])) == ("web", "http", 3)
    assert backend["responses"]["2xx"] == backend["sessions"] >= 11


def test_a_certificate_that_cannot_be_read_costs_its_own_site_only_its_tls(lab: Lab, tmp_path: Path) -> None:
    world = World(lab, tmp_path, hosts=1)
    chain, key = signed(HOST, start=time.time() - 60, end=time.time() + 86400)
    broken = INGRESS.replace("name: web\n", "name: broken\n", 1).replace(HOST, "broken.org").replace("site", "bad")
    torn = secret(chain[: len(chain) // 2], key).replace("{name: site}", "{name: bad}")
    parts = [deployment("web", 1), SERVICE, INGRESS, secret(chain, key), broken, torn]
    world.write("web.yaml", "---\n".join(parts))
    edge = lab.records[0].ip
    with world.run() as running:
        running.converged()
        running.wait_for("NotServed", "Ingress default/broken has no certificate of Secret default/bad")
        assert asked(edge, f"https://{HOST}/shop")[0] == "200"
        assert asked(edge, "http://broken.org/shop")[0] == "200"
        assert asked(edge, "https://broken.org/shop")[0] == "000", "no other site's certificate is shown for it"


def test_a_certificate_is_issued_served_kept_and_renewed(lab: Lab, tmp_path: Path) -> None:
    world = World(lab, tmp_path, hosts=1)
    edge = lab.records[0].ip
    with acme_server(lambda _: (edge, 80)) as issuer:
        issuer.lifetime = -80 * 86400.0, 10 * 86400.0
        world.write("cluster.yaml", cluster() + acme(issuer))
        world.write("web.yaml", "---\n".join([deployment("web", 1), SERVICE, ISSUED]))
        with world.run() as running:
            running.wait_for("CertificateIssued")
            eventually(lambda: asked(edge, f"https://{HOST}/shop")[0] == "200")
            first = served(edge)
            shown = world.cli("describe", "ingress", "web", "-o", "json", *world.host_options)
            (told,) = json.loads(shown.stdout)["certificates"]
            assert (told["secretName"], told["hosts"]) == ("site", [HOST])
        assert issuer.names_ordered() == [[HOST]]
        assert served(edge) == first, "without a master"
        issuer.lifetime = -60.0, 90 * 86400.0
        with world.run() as running:
            running.wait_for("CertificateIssued")
            eventually(lambda: served(edge) not in ("", first))
            renewed = served(edge)
        with world.run() as running:
            running.converged()
            assert served(edge) == renewed
        assert len(issuer.orders) == 2
        assert len(issuer.accounts) == 1


def acme(issuer: AcmeServer) -> str:
    lines = "".join(f"      {line}\n" for line in issuer.ca.splitlines())
    return f"  acme:\n    server: {issuer.directory}\n    ca: |\n{lines}"


def served(edge: str) -> str:
    """The serial number of the certificate for HOST; empty: none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((edge, 443), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            return str(x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"").serial_number)
    except OSError:
        return ""


def pod(edge: str) -> str:
    match = re.search(r"pod=(\S+)", asked(edge, f"https://{HOST}/shop")[1])
    return match[1] if match else ""


def secret(chain: str, key: str) -> str:
    data = {"tls.crt": chain, "tls.key": key}
    lines = [
        f"  {name}: |\n" + "".join(f"    {line}\n" for line in text.splitlines()) for name, text in data.items()
    ]
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: site}\ntype: kubernetes.io/tls\nstringData:\n"
    return head + "".join(lines)


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""
INGRESS = f"""\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: {{reconciler.dev/ssl-redirect: "false"}}
spec:
  rules:
    - host: {HOST}
      http:
        paths:
          - {{path: /shop, pathType: Prefix, backend: {{service: {{name: web, port: {{name: http}}}}}}}}
  tls: [{{hosts: [{HOST}], secretName: site}}]
"""
ISSUED = INGRESS.replace('{reconciler.dev/ssl-redirect: "false"}', '{reconciler.dev/acme: "true"}')
