"""What a plan's reports count, show, hide and defuse; their whole forms are golden files."""

import json
import re

import pytest

from reconciler.model.desired import Revision
from reconciler.model.names import Ref
from reconciler.model.plan import Action, FieldChange, Hold, ObjectChange, PodChange, Unschedulable
from reconciler.model.problems import Place, Problem, Severity
from reconciler.reporting import PlanReport, UnreachableNode, plan_json, plan_markdown, plan_text
from reconciler.reporting.changes import POD_SIGNS, field_lines, field_sign, field_words
from reconciler.reporting.plan_markdown import LONGEST_COMMENT
from reconciler.reporting.plan_report import summary

REVISION = Revision("sha256:8c1f2d3e4b5a6978", "/srv/shop")
WEB = Ref("Deployment", "shop", "web")
SERVICE = ObjectChange("~", Ref("Service", "shop", "web"), (FieldChange("spec.ports[0].port", 80, 81),))
EVIL = "\x1b]0;x\x07 `|` ``` <script>alert(1)</script> @everyone #1 [a](javascript:x)\n::error::x \u202e"


def change(action: Action, node: str = "node-1", from_node: str = "") -> PodChange:
    return PodChange(action, Ref("Pod", "shop", f"web-{action}"), action, node, "why", WEB, from_node=from_node)


def report(**parts: object) -> PlanReport:
    return PlanReport(REVISION, 3, **parts)  # type: ignore[arg-type]


def text(shown: PlanReport) -> str:
    return "\n".join(line.text for line in plan_text(shown))


def test_a_moved_or_restarted_pod_is_one_change() -> None:
    changes = tuple(change(action, "node-2" if action is Action.MOVE else "node-1", "") for action in Action)
    assert (
        summary(report(changes=changes))
        == "Plan: 1 to create, 2 to change, 1 to delete on 2 nodes. 1 pod left behind."
    )


def test_a_move_touches_the_node_it_leaves_too() -> None:
    moved = change(Action.MOVE, "node-2", from_node="node-1")
    assert summary(report(changes=(moved,))) == "Plan: 0 to create, 1 to change, 0 to delete on 2 nodes."


def test_an_object_may_change_without_touching_a_pod() -> None:
    assert summary(report(objects=(SERVICE,))) == "Plan: 1 object to change, no pod is touched."


def test_a_pod_that_fits_nowhere_is_not_everything_as_asked() -> None:
    waiting = report(unplaced=(Unschedulable(WEB, 2, {"node-1": "full"}),))
    assert summary(waiting) == "Plan: no pod is touched. 2 fit nowhere now."


def test_no_changes_names_the_revision_as_people_know_it() -> None:
    assert summary(report()) == "No changes. Everything is as revision 8c1f2d3e asks."


def test_a_node_that_cannot_be_seen_is_not_called_as_asked_for() -> None:
    partly = report(unreachable=(UnreachableNode("node-3", "timed out"),))
    assert summary(partly) == "No changes on the nodes that answer; 1 of 3 cannot be seen."
    assert not report().has_changes


def test_a_hold_is_never_mistaken_for_a_plan_that_runs() -> None:
    held = report(changes=(change(Action.DELETE),), hold=Hold("too many deletions", "confirm"))
    assert summary(held).startswith("Held: nothing")
    assert "held: too many deletions" in text(held)


@pytest.mark.parametrize(
    ("field", "sign", "words"),
    [
        (FieldChange("spec.replicas", 2, 4), "~", "spec.replicas: 2 → 4"),
        (FieldChange("a", None, "4"), "+", 'a: "4"'),
        (FieldChange("a", True, None), "-", "a: true"),
        (FieldChange("a", 0, ""), "~", 'a: 0 → ""'),
        (FieldChange("data.K", None, None, secret=True), "~", "data.K: (secret value changed)"),
        (FieldChange("data.K", "canary", "canary2", secret=True), "~", "data.K: (secret value changed)"),
        (FieldChange("a\x1b", None, "b\x1b\u202e"), "+", r'a\x1b: "b\u001b\u202e"'),
    ],
)
def test_a_field_says_what_it_was_and_what_it_will_be(field: FieldChange, sign: str, words: str) -> None:
    assert (field_sign(field), field_words(field)) == (sign, words)


def test_a_long_value_is_cut_around_what_differs() -> None:
    words = field_words(FieldChange("data.page", "a" * 500 + "old" + "b" * 500, "a" * 500 + "new" + "b" * 500))
    assert "old" in words
    assert "new" in words
    assert len(words) < 300
    assert "… (1005 characters)" in words


@pytest.mark.rule(7)
def test_a_secret_is_in_no_form_whatever_the_change_carries() -> None:
    field = FieldChange("data.PASSWORD", "canary-before", "canary-after", secret=True)
    shown = report(objects=(ObjectChange("~", Ref("Secret", "shop", "db"), (field,)),))
    assert "canary" not in text(shown) + json.dumps(plan_json(shown)) + plan_markdown(shown)


@pytest.fixture
def hostile() -> PlanReport:
    """Every text of a report says the worst."""
    ref = Ref(EVIL, EVIL, EVIL)
    place = Place(EVIL, 1, 1)
    return PlanReport(
        revision=Revision("8c1f2d3e", EVIL, EVIL),
        nodes=1,
        objects=(ObjectChange("~", ref, (FieldChange(EVIL, EVIL, {EVIL: EVIL}),), place),),
        changes=(PodChange(Action.MOVE, ref, EVIL, EVIL, EVIL, ref, EVIL, place),),
        unplaced=(Unschedulable(ref, 1, {EVIL: EVIL}),),
        unreachable=(UnreachableNode(EVIL, EVIL, 3),),
        orphans=(EVIL,),
        hold=Hold(EVIL, EVIL),
        warnings=(Problem(place, EVIL, EVIL, EVIL, EVIL, Severity.WARNING),),
        unserved=(EVIL,),
    )


@pytest.mark.rule(11)
def test_no_text_can_move_the_cursor_or_begin_a_line(hostile: PlanReport) -> None:
    for line in plan_text(hostile):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", line.text)
        assert not line.text.lstrip().startswith("::")


@pytest.mark.rule(11)
def test_markdown_interprets_nothing_of_what_it_quotes(hostile: PlanReport) -> None:
    shown = plan_markdown(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    unfenced = re.sub(r"^(`{3,})diff\n.*?\n\1$", "", shown, flags=re.DOTALL | re.MULTILINE)
    unquoted = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"<code>[^<]*</code>", "", unfenced))
    for word in ("script", "everyone", "javascript", "#1", "::error"):
        assert word not in unquoted
    rows = [line for line in unfenced.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} <= {4, 5, 6}


def test_json_keeps_every_text_exactly_and_escapes_it(hostile: PlanReport) -> None:
    written = json.dumps(plan_json(hostile))
    assert "\x1b" not in written
    assert json.loads(written)["orphans"] == [EVIL]


def test_a_long_comment_is_cut_and_says_so() -> None:
    objects = tuple(ObjectChange("+", Ref("ConfigMap", "shop", f"texts-{n}")) for n in range(5000))
    shown = plan_markdown(report(objects=objects))
    assert len(shown.encode()) < 65_000
    assert len(shown.encode()) > LONGEST_COMMENT - 1000
    assert "Cut here" in shown.splitlines()[-1]


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_sign_in_every_report(action: Action) -> None:
    shown = report(changes=(change(action, "node-1", ""),))
    assert f"    {POD_SIGNS[action]:3} " in text(shown)
    (row,) = [line for line in plan_markdown(shown).splitlines() if f"web-{action}" in line]
    assert row.split("|")[1].strip() == f"`{POD_SIGNS[action]}` {action}"


def test_a_pod_is_told_of_once_by_what_becomes_of_it() -> None:
    own = PodChange(Action.RESTART, Ref("Pod", "shop", "web-1"), "w1", "node-1", "container web exited", WEB)
    gone = PodChange(Action.DELETE, own.pod, "w1", "node-1", "its template gives way", WEB)
    new = PodChange(Action.CREATE, Ref("Pod", "shop", "web-2"), "w2", "node-2", "rolling update", WEB)
    started = PodChange(Action.RESTART, new.pod, "w2", "node-2", "container web exited", WEB)
    shown = report(changes=(own, own, new, started, gone))
    assert shown.pods == (gone, new)
    assert summary(shown) == "Plan: 1 to create, 0 to change, 1 to delete on 2 nodes."
    assert report(changes=(own, own)).pods == (own,)


def test_every_form_has_the_pods_in_the_same_order_whatever_the_order_of_execution() -> None:
    names = ("web-3", "web-1", "web-2")
    changes = tuple(
        PodChange(Action.CREATE, Ref("Pod", "shop", name), name, "node-1", "rolling update", WEB) for name in names
    )
    for form in (text, plan_markdown, lambda shown: json.dumps(plan_json(shown))):
        shown = form(report(changes=changes))
        assert shown == form(report(changes=changes[::-1]))
        assert shown.index("web-1") < shown.index("web-2") < shown.index("web-3")


def test_of_a_text_of_several_lines_the_lines_that_differ_are_shown() -> None:
    before = "".join(f"line {number}\n" for number in range(100))
    field = FieldChange("data.conf", before, before.replace("line 50\n", "line fifty\nanother\n"))
    assert field_words(field) == "data.conf:"
    assert field_lines(field) == [("-", "line 50"), ("+", "line fifty"), ("+", "another")]
    everything = field_lines(FieldChange("data.conf", before, None))
    assert len(everything) == 41
    assert everything[-1] == (" ", "… (60 more lines)")
    assert field_words(FieldChange("data.conf", "a\nb\n", "a\nb")) == r'data.conf: "a\nb\n" → "a\nb"'


def test_a_long_line_is_cut_around_what_differs() -> None:
    long = "x" * 300
    (old, new) = field_lines(FieldChange("data.conf", f"a\n{long}old{long}", f"a\n{long}new{long}"))
    assert "old" in old[1]
    assert "new" in new[1]
    assert len(old[1]) < 150


@pytest.mark.rule(7)
def test_no_line_of_a_secret_is_shown() -> None:
    assert field_lines(FieldChange("data.KEY", "canary\none", "canary\ntwo", secret=True)) == []
