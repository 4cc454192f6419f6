"""Every simulated Google and Microsoft that a test starts is held to its provider's rules.

Law: a server is watched from its first request, whoever starts it; a test that plants what the
provider never says tells why, by `tolerate`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from gateway.sandbox.google import GoogleServer
from gateway.sandbox.google.server import Answered as AnsweredByGoogle
from gateway.sandbox.google.world import Channel
from gateway.sandbox.microsoft import MicrosoftServer
from gateway.sandbox.microsoft.push import Sent
from gateway.sandbox.microsoft.server import Answered
from gateway.sandbox.served import Served
from tests import google_rules, graph_push_rules, graph_rules


class Watch:
    """What the servers of one test said, and which rules that broke."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.seen: set[str] = set()
        """Routes and statuses, `events.get 200`, and `push …` of what went out."""
        self.tolerated = ""

    def begin(self, server: Served) -> None:
        """Hold everything that a server says from now on to the rules."""
        if isinstance(server, GoogleServer) and not server.witnesses:
            server.witnesses.append(self._google)
            server.push.witnesses.append(self._google_push)
        if isinstance(server, MicrosoftServer) and not server.witnesses:
            one = _Subscribers(self)
            server.witnesses.append(one.answered)
            server.push.witnesses.append(one.sent)

    def end(self) -> None:
        """Fail where any rule was broken; begin anew."""
        faults, tolerated = self.faults, self.tolerated
        self.faults, self.seen, self.tolerated = [], set(), ""
        assert tolerated or not faults, faults[:10]

    def note(self, what: str, faults: Iterable[str]) -> None:
        """Write down what was said, with what is wrong with it."""
        self.seen.add(what)
        self.faults += [f"{what}: {fault}" for fault in faults]

    def _google(self, one: AnsweredByGoogle) -> None:
        self.note(f"{one.route} {one.status}", google_rules.faults_of(one))

    def _google_push(self, channel: Channel, headers: Mapping[str, str]) -> None:
        state = headers.get("X-Goog-Resource-State", "")
        self.note(f"push {state}", google_rules.push_faults(channel, headers))


class _Subscribers:
    """What one Microsoft says, and whether it asked an address before it subscribed it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._asked: Counter[str] = Counter()

    def sent(self, sent: Sent) -> None:
        if sent.subscription is None:
            self._asked[sent.url] += 1
        row = (sent.body or {"value": [{"changeType": "handshake"}]})["value"][0]
        what = row.get("lifecycleEvent") or row.get("changeType")
        self._watch.note(f"push {what}", graph_push_rules.sent_faults(sent))

    def answered(self, one: Answered) -> None:
        self._watch.note(f"{one.route} {one.status}", graph_rules.faults_of(one))
        if (one.route, one.status) == ("push.subscribe", 201):
            urls = (one.answer.get("notificationUrl"), one.answer.get("lifecycleNotificationUrl"))
            for url in {str(one) for one in urls if one}:
                self._asked[url] -= 1
                if self._asked[url] < 0:
                    self._watch.note("push.subscribe 201", [f"{url} was not asked before"])


WATCH = Watch()


def tolerate(reason: str) -> None:
    """Let this test's servers say what breaks a rule, since the test plants it."""
    WATCH.tolerated = reason
