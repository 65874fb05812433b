"""Replay of the invented week: comments and acts pass through the functions of the API, each at its own time."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from belowline.model import ScoreInput, Scores
from belowline.serve.active import policy_history
from belowline.serve.active.loading import active_at_start
from belowline.serve.active.policy_settings import PolicyText
from belowline.serve.api.decision_reason import agreeing
from belowline.serve.demo.week import Week, author_of
from belowline.serve.http.auth import LOCAL
from belowline.serve.queue import appeals, author_acts, comments, escalation, reviews, saved_filters, undo
from belowline.serve.queue.feedback import Feedback
from belowline.serve.queue.feedback import add as add_feedback
from belowline.serve.queue.intake import IncomingComment, ingest
from belowline.serve.queue.moderator_decisions import ModeratorDecision, record_decision, record_for_all
from belowline.serve.scoring.fault_isolation import article_context, score_each
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.settings import Settings
from belowline.serve.store import accounts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database, at, now
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import authors
from belowline.serve.store.tables import comments as comments_table

_AT_ONCE = 8
"""Comments that are scored between two signs of progress."""
_REASON = ("code", "note", "message")
Fields = Mapping[str, Any]


def fill(settings: Settings, week: Week, count: Callable[[int], None]) -> list[str]:
    """Replay a week into the new store of the settings; ``count`` is told of scored comments.

    Returns one line for each act that the store refused, which happens if another model decides otherwise. Raises as
    the start of the service does.
    """
    with Database.open(settings.database_url) as database:
        replay = _Replay(settings, week, database)
        replay.score(count)
        return replay.run()


class _Replay:
    """One week into one store."""

    def __init__(self, settings: Settings, week: Week, database: Database) -> None:
        self._week, self._database = week, database
        self._active = active_at_start(settings, database)
        self._scores: dict[str, Scores | None] = {}
        self._texts = {comment["id"]: comment["text"] for comment in week.comments}
        self._people = {name: Actor(name, role, (week.site,)) for name, role in week.people.items()}
        self._people |= {LOCAL.name: LOCAL, "courier": Actor("courier", "service", (week.site,))}
        self._do: Mapping[str, Callable[[Connection, Actor, Fields], object]] = {
            "publish": self._decide,
            "reject": self._decide,
            "bulk": self._bulk,
            "undo": self._undo,
            "standing": self._standing,
            "note": self._note,
            "escalate": self._escalate,
            "appeal": self._appeal,
            "golden": self._golden,
            "check": self._check,
            "filter": self._filter,
            "policy": self._policy,
            "feedback": self._feedback,
        }

    def score(self, count: Callable[[int], None]) -> None:
        """Score all comments."""
        every = self._week.comments
        for start in range(0, len(every), _AT_ONCE):
            some = every[start : start + _AT_ONCE]
            scored = score_each(self._active.pipeline.scorer, [self._input(comment) for comment in some])
            self._scores |= {comment["id"]: one for comment, one in zip(some, scored, strict=True)}
            count(len(some))

    def run(self) -> list[str]:
        """Store comments and acts in their order, and return the acts that were refused."""
        moment, refused = now(), []
        first = self._week.events[0].ago + timedelta(hours=1)
        self._in_past(moment - first, self._make_keys)
        for event in self._week.events:
            try:
                self._in_past(moment - event.ago, self._event, event.do, event.fields)
            except Refusal as refusal:
                refused.append(f"{event.do} by {event.fields['by']}: {refusal.detail}")
        self._in_past(moment - self._week.events[-1].ago, self._revoke_keys)
        return refused

    def _in_past(self, moment: Any, change: Callable[..., object], *more: Any) -> None:
        with at(moment), self._database.write() as tx:
            change(tx, *more)

    def _event(self, tx: Connection, do: str, fields: Fields) -> None:
        if do == "comment":
            self._comment(tx, fields)
        else:
            self._do[do](tx, self._people[fields["by"]], fields)

    def _make_keys(self, tx: Connection) -> None:
        for name, role in self._week.people.items():
            accounts.create_key(tx, LOCAL.name, name, role, [self._week.site])

    def _revoke_keys(self, tx: Connection) -> None:
        # A store without a valid key needs no sign-in on this machine. The last admin key goes last.
        for row in sorted(accounts.keys(tx), key=lambda row: row.role == "admin"):
            accounts.revoke_key(tx, LOCAL.name, row.id)

    def _input(self, comment: Fields) -> ScoreInput:
        article = self._week.articles[comment["article"]]
        context = article_context(article.title, article.lead)
        return ScoreInput(comment["text"], context, self._parent_text(comment), comment["author"])

    def _parent_text(self, comment: Fields) -> str | None:
        return self._texts[comment["parent"]] if "parent" in comment else None

    def _pipeline(self, tx: Connection) -> ModerationPipeline:
        return self._active.within(tx).pipeline

    def _comment(self, tx: Connection, fields: Fields) -> None:
        incoming = IncomingComment(
            fields["id"],
            fields["text"],
            self._scores[fields["id"]],
            author_of(fields["author"]),
            fields.get("parent"),
            self._parent_text(fields),
            now(),
        )
        ingest(tx, self._pipeline(tx), self._week.site, self._week.articles[fields["article"]], [incoming])

    def _decision(self, action: Any, fields: Fields, via: str) -> ModeratorDecision:
        reason: dict[str, Any] = {name: fields[name] for name in _REASON if name in fields}
        if "code" in fields:
            reason["code_choice"] = "person"
        decision = ModeratorDecision(action, **reason, via=via)
        return agreeing(decision, self._active.pipeline.scorer.labels)

    def _decide(self, tx: Connection, who: Actor, fields: Fields) -> None:
        decision, policy = self._decision(fields["do"], fields, "console"), self._pipeline(tx).policy
        for name in fields["comments"]:
            record_decision(tx, who, self._number(tx, name), decision, policy)

    def _bulk(self, tx: Connection, who: Actor, fields: Fields) -> None:
        first = comments_table.c.id == self._number(tx, fields["campaign"])
        campaign = tx.execute(select(comments_table.c.campaign).where(first)).scalar_one()
        decision, policy = self._decision("reject", fields, "bulk"), self._pipeline(tx).policy
        record_for_all(tx, who, decision, policy, campaign=campaign, queued_only=False)

    def _undo(self, tx: Connection, who: Actor, _fields: Fields) -> None:
        undo.undo_act(tx, who, None, self._pipeline(tx).policy)

    def _standing(self, tx: Connection, who: Actor, fields: Fields) -> None:
        until = now() + timedelta(days=fields["days"]) if "days" in fields else None
        author = self._author(tx, fields["author"])
        author_acts.set_standing(tx, who, author, fields["standing"], until, fields["note"])

    def _note(self, tx: Connection, who: Actor, fields: Fields) -> None:
        author_acts.add_note(tx, who, self._author(tx, fields["author"]), fields["note"])

    def _escalate(self, tx: Connection, who: Actor, fields: Fields) -> None:
        escalation.escalate(tx, who, self._number(tx, fields["comment"]), fields["to"], fields["note"])

    def _appeal(self, tx: Connection, who: Actor, fields: Fields) -> None:
        appeals.appeal(tx, who, self._number(tx, fields["comment"]), fields["text"])

    def _golden(self, tx: Connection, who: Actor, fields: Fields) -> None:
        reviews.make_golden(tx, who.name, self._number(tx, fields["comment"]))

    def _check(self, tx: Connection, who: Actor, fields: Fields) -> None:
        reviews.answer_golden(tx, who.name, self._number(tx, fields["comment"]), fields["answer"])

    def _filter(self, tx: Connection, who: Actor, fields: Fields) -> None:
        saved_filters.save(tx, who.name, fields["name"], fields["query"])

    def _policy(self, tx: Connection, who: Actor, fields: Fields) -> None:
        pipeline = self._pipeline(tx)
        active = PolicyText(self._active.text(tx), pipeline.scorer.thresholds)
        text = active.with_settings(None, {**active.settings(), **fields["settings"]}).text
        pipeline.with_policy(text, "the policy of the demo")  # raises PolicyError for a wrong one
        policy_history.replace(tx, who.name, text, fields["note"], policy_history.newest(tx))

    def _feedback(self, tx: Connection, who: Actor, fields: Fields) -> None:
        name, given = fields["comment"], fields["scores"]
        suggestion = Feedback("perspective", self._texts[name], given, given, caller_id=name)
        add_feedback(tx, who.name, self._week.site, suggestion)

    def _number(self, tx: Connection, name: str) -> int:
        return self._found(comments.find(tx, f"{self._week.site}:{name}"))

    def _author(self, tx: Connection, name: str) -> int:
        reference = f"{self._week.site}:{author_of(name).caller_id}"
        return self._found(comments.find(tx, reference, table=authors))

    @staticmethod
    def _found(number: int | None) -> int:
        if number is None:
            raise LookupError("an act of the week names what is not there yet")
        return number
