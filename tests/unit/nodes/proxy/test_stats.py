"""HAProxy's statistics, as they come from a host."""

import base64
import gzip
from collections.abc import Sequence

import pytest

from reconciler.model.names import Ref
from reconciler.model.sections import IngressSection, ServiceSection
from reconciler.nodes.errors import CommandFailed, OutcomeUnknown
from reconciler.nodes.proxy.stats import proxy_traffic, read_stats
from reconciler.nodes.ssh.shell import CommandResult

WEB = ServiceSection(Ref("Service", "shop", "web"), "http")
SITE = IngressSection(Ref("Ingress", "shop", "site"), "web", "http")
COLUMNS = (
    "pxname,svname,stot,scur,bin,bout,dcon,econ,eresp,wretr,wredis,status,weight,lastchg,rate,rate_max,check_status,"
    "hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,last_chk,qtime,ctime,rtime,ttime,addr,mode,more,"
)
STATS = f"""\
# {COLUMNS}
shop_web_http,FRONTEND,9,1,,,4,,,,,OPEN,,,1,2,,,,,,,,,,,,,http,,
shop_web_http,web-0,6,1,10,20,,1,2,3,4,UP,1,7,1,2,* L4OK,0,5,0,1,0,,0,1,2,3,10.244.0.7:8080,http,,
shop_web_http,web-1,0,0,0,0,,0,0,0,0,DOWN,1,9,0,0,L4CON,0,0,0,0,0,"refused, it says",0,0,0,0,10.244.1.7:80,http,,
shop_web_http,BACKEND,8,1,10,20,,2,2,3,4,UP,1,7,1,2,,0,5,0,1,2,,0,1,2,3,,http,,
ingress,FRONTEND,9,1,,,5,,,,,OPEN,,,1,2,,,,,,,,,,,,,http,,
ingress_shop_site_web_http,BACKEND,1,0,0,0,,0,0,0,0,UP,1,7,0,1,,0,1,0,0,0,,0,0,0,0,,http,,
ingress_shop_site_clients,BACKEND,0,0,0,0,,0,0,0,0,UP,1,7,0,1,,0,1,0,0,0,,0,0,0,0,,http,,

"""


def test_rows_become_sections_with_their_pods() -> None:
    web, site = read_stats(STATS)
    assert (web.section, site.section) == (WEB, SITE)
    assert (web.denied, web.by_request, web.counts.errors) == (4, True, 4)
    assert web.counts.responses == (0, 5, 0, 1, 2)
    up, down = web.servers
    assert (up.pod, up.address, up.state, up.check, up.changed_seconds) == (
        *("web-0", "10.244.0.7:8080", "UP", "L4OK", 7),
    )
    assert (up.counts.connect_ms, up.counts.response_ms, up.counts.total_ms) == (1, 2, 3)
    assert (down.up, down.check, down.said) == (False, "L4CON", "refused, it says")


def test_a_frontend_of_another_section_is_not_counted() -> None:
    assert read_stats(STATS)[1].denied == 0


@pytest.mark.parametrize(
    ("state", "up", "leaves"),
    [
        *(("UP", True, False), ("UP 1/2", True, False), ("no check", True, False), ("DOWN", False, False)),
        *(("NOLB", False, False), ("MAINT", False, True), ("MAINT (via x)", False, True), ("DRAIN", False, True)),
    ],
)
def test_states(state: str, up: bool, leaves: bool) -> None:
    server = read_stats(STATS.replace("DOWN", state))[0].servers[1]
    assert (server.up, server.leaves) == (up, leaves)


def test_statistics_without_a_column_that_is_needed_are_refused() -> None:
    with pytest.raises(ValueError, match="have no addr"):
        read_stats(STATS.replace(",addr,", ",address,"))


class Inside:
    """A shell in the proxy's container."""

    def __init__(self, answer: str | Exception) -> None:
        self._answer = answer
        self.asked: Sequence[str] = ()

    def run(self, argv: Sequence[str], *, timeout: float) -> CommandResult:
        self.asked = argv
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer == "gzip: not found":
            return CommandResult(0, "", self._answer)
        return CommandResult(0, base64.encodebytes(gzip.compress(self._answer.encode())).decode(), "")


def test_they_come_packed() -> None:
    inside = Inside(STATS)
    assert [one.section for one in proxy_traffic(inside, "shop_web_")] == [WEB, SITE]
    assert inside.asked[-2:] == ["/etc/reconciler/admin.sock", "shop_web_"]


@pytest.mark.fault(69)
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (OutcomeUnknown("the connection ended"), "docker ps -a"),
        ("", "starting, or it hangs"),
        ("gzip: not found", "gzip: not found"),
        ("# pxname,svname,\n", "have no addr"),
    ],
)
def test_a_haproxy_that_does_not_tell_is_an_error_never_an_empty_answer(answer: str | Exception, why: str) -> None:
    with pytest.raises(CommandFailed, match=why):
        proxy_traffic(Inside(answer))
