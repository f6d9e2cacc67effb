"""What resources that are made, described, changed and deleted by actions of one API have in common.

A resource says in tables what its properties are called in requests and answers (`fields`), and which actions
do what (`creation`, `changes`, `deletion`); it adds code for what is special about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer, Refused, Unreached, client_token
from offline.alicloud.field import Property, failures, pick, sent, tags_read, tags_sent
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider import difference
from offline.provider.resource import (
    UNKNOWN,
    CheckFailure,
    Context,
    Difference,
    Field,
    Inputs,
    PartialCreate,
    Resource,
    ResourceError,
    State,
)
from offline.provider.values import Secret

_LOOK: Final = 60.0  # seconds that reading has: what the official provider gives to it
_EMPTY: Final = {str: "", bool: False, list: [], dict: {}, int: 0}
TAGS: Final = Property()


class CloudResource(Resource):
    """A resource of Alibaba Cloud's."""

    schema_version: ClassVar[int] = 0
    product: ClassVar[str]
    noun: ClassVar[str]  # in messages: "VPC"
    id_parameter: ClassVar[str]
    creation: ClassVar[Creation]
    changes: ClassVar[tuple[Change, ...]] = ()
    deletion: ClassVar[Deletion]
    tag_kind: ClassVar[str] = ""  # what TagResources calls such a thing; empty: it has no tags
    status: ClassVar[str] = "Status"  # where an answer has the state
    ready: ClassVar[tuple[str, ...]] = ()  # states in which it can be used; none: it can be at once
    fresh: ClassVar[tuple[str, ...]] = ()  # those of them that a new one comes to; none: any
    broken: ClassVar[tuple[str, ...]] = ()  # states that it does not leave by itself
    vanishes: ClassVar[bool] = True  # deletion is over only when it cannot be described any more
    attachment: ClassVar[bool] = False  # it ties two other things together, and has no id of its own
    update_seconds: ClassVar[float] = 300.0
    late: ClassVar[frozenset[str]] = frozenset()  # properties that `after` sees to once it is made
    unsaid: ClassVar[frozenset[str] | None] = None  # properties that no answer tells; None: any may be
    rigid: ClassVar[Mapping[str, str]] = {}  # properties that nothing changes in place; what to do instead

    # --- what a resource adds where it is special

    def describe(self, work: Work, id: str) -> Answer | None:
        """What the API has under the id; None: nothing."""
        raise NotImplementedError

    def state_of(self, work: Work, id: str, answer: Answer) -> State:  # noqa: ARG002
        """The properties that an answer tells."""
        return {
            name: pick(answer, one.read)
            for name, one in self.fields.items()
            if isinstance(one, Property) and one.read
        }

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        """What the action that creates is given."""
        return {
            one.create: inputs[name]
            for name, one in self.fields.items()
            if isinstance(one, Property) and one.create and name in inputs and sent(one, inputs[name])
        }

    def parameter(self, name: str, value: Any) -> Any:  # noqa: ARG002
        """A property's value as the action that changes it takes it."""
        return value

    def table(self, ctx: Context, state: State, inputs: Inputs) -> Mapping[str, Field]:  # noqa: ARG002
        """The fields as a state and inputs are to be compared by: values may stand for one thing beside one
        another, and for another beside others.
        """
        return self.fields

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:
        """Change what no table can say. After a creation `old` is what the API made by itself."""

    # --- the operations

    def check(self, ctx: Context, olds: Inputs, news: Inputs) -> tuple[Inputs, list[CheckFailure]]:  # noqa: ARG002
        return news, [*failures(self.fields, news), *self.wrong(news)]

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:  # noqa: ARG002
        """What is wrong with the inputs as a whole."""
        return []

    def diff(self, ctx: Context, id: str, state: State, news: Inputs) -> Difference | None:  # noqa: ARG002
        table = self.table(ctx, state, news)
        if table is self.fields:
            return None
        found = difference.compare(table, state, news)
        return Difference(
            update=[one.path for one in found if not one.replace],
            replace=[one.path for one in found if one.replace],
        )

    def preview_update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:
        self._refuse_rigid(ctx, id, state, inputs)
        return self.preview(ctx, inputs)

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        work = Work.of(ctx, self.product, self.creation.seconds)
        id = self.make(work, inputs)
        try:
            made = self.settled(work, id, self.fresh or self.ready)
            late = self._late(inputs)
            fresh = self._known(work, id, made, {})
            self._change(work, id, fresh, inputs, late, new=True)
            return id, self._state(work, id, inputs)
        except (Refused, Unreached, ResourceError) as error:
            raise PartialCreate(
                f"{self.noun} {id} is made, but not as wanted: {error}",
                id=id,
                state=self._as_it_is(ctx, id, inputs),
                fix="run the same command again: it goes on with what is there",
            ) from error

    def make(self, work: Work, inputs: Inputs) -> str:
        """Create the object, once. Its id."""
        given = {**self.creation.fixed, **self.parameters(inputs)}
        if self.tag_kind and self.creation.tags and inputs.get("tags"):
            given["Tag"] = tags_sent(inputs["tags"])
        if self.creation.token:
            given["ClientToken"] = client_token()
        answer = work(self.creation.action, given, again=self.creation.again, once=not self.creation.token)
        if "{" in self.creation.id:
            return self.creation.id.format_map(inputs)
        return str(pick(answer, self.creation.id))

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        work = Work.of(ctx, self.product, _LOOK)
        found = self.describe(work, id)
        if found is None:
            return None
        known = self._known(work, id, found, state)
        return id, (self._kept(inputs, known) if inputs else self._imported(known)), self._marked(known)

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:
        work = Work.of(ctx, self.product, self.update_seconds)
        self._refuse_rigid(ctx, id, state, inputs)
        self.settled(work, id)  # its creation may have been cut short
        changed = self._changed(ctx, state, inputs)
        self._change(work, id, state, inputs, changed)
        return self._state(work, id, inputs)

    def delete(self, ctx: Context, id: str, state: State) -> None:
        work = Work.of(ctx, self.product, self.deletion.seconds)
        if self.attachment and self.describe(work, id) is None:
            return  # to take it off once more is refused with a code that else means "not yet"
        given = {self.id_parameter: id, **self.deletion.fixed, **self.unmade(id, state)}
        if self.deletion.token:
            given["ClientToken"] = client_token()
        try:
            work(self.deletion.action, given, again=self.deletion.again)
        except Refused as refused:
            # Some say NotFound, others that an attachment is not one: what counts is whether it is there.
            if not refused.missing and self.describe(work, id) is not None:
                raise
        if self.vanishes:
            work.patience.until(
                lambda: True if self.describe(work, id) is None else None, f"{self.noun} {id} to go"
            )

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        """What the action that deletes is given beside the id."""
        return {}

    # --- steps

    def _changed(self, ctx: Context, state: State, inputs: Inputs) -> set[str]:
        found = difference.compare(self.table(ctx, state, inputs), state, inputs)
        return {difference.top(one.path) for one in found}

    def _refuse_rigid(self, ctx: Context, id: str, state: State, inputs: Inputs) -> None:
        for name in sorted(self._changed(ctx, state, inputs) & self.rigid.keys()):
            if inputs.get(name) is not UNKNOWN:  # in a preview: it may turn out to be the same
                raise ResourceError(
                    f"{name} of {self.noun} {id} cannot change in place", fix=self.rigid[name]
                )

    def settled(self, work: Work, id: str, wanted: tuple[str, ...] = ()) -> Answer:
        """The object, once it is in a state in which it can be used. wanted: the states; else `ready`."""
        wanted = wanted or self.ready

        def look() -> Answer | None:
            found = self.describe(work, id)
            if found is None:  # a new one is not known everywhere at once
                return None
            at = str(pick(found, self.status)) if wanted else ""
            if at in self.broken:
                raise ResourceError(
                    f"{self.noun} {id} is {at}", fix="see in the console why, and remove it there or here"
                )
            if wanted and at not in wanted:
                work.ctx.log(f"{self.noun} {id} is {at}")
                return None
            return found

        return work.patience.until(look, f"{self.noun} {id} to be {' or '.join(wanted) or 'there'}")

    def _late(self, inputs: Inputs) -> set[str]:
        names = {name for change in self.changes if change.late for name in change.properties}
        if self.tag_kind and not self.creation.tags:
            names.add("tags")
        return (names | self.late) & inputs.keys()

    def _change(
        self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str], *, new: bool = False
    ) -> None:
        done = False
        for change in self.changes:
            names = changed & change.properties.keys()
            if new:
                names = {n for n in names if change.late and old.get(n) != inputs.get(n)}
            if not names:
                continue
            given = {change.id or self.id_parameter: self.named(id), **change.fixed}
            for name in sorted(names):
                value = inputs[name] if name in inputs else _nothing_like(old.get(name))
                given[change.properties[name]] = self.parameter(name, value)
            if change.token:
                given["ClientToken"] = client_token()
            work(change.action, given, again=change.again)
            done = True
        if "tags" in changed and self.tag_kind:
            self.retag(work, id, old.get("tags") or {}, inputs.get("tags") or {})
        self.after(work, id, old, inputs, changed)
        if done and self.ready:
            self.settled(work, id)

    def named(self, id: str) -> str:
        """What requests call the object; ids of pairs are put together from several."""
        return id

    def retag(self, work: Work, id: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        """Make the tags those that are wanted, leaving alone what Alibaba Cloud sets itself."""
        tag(work, self.tag_kind, [self.named(id)], old, new)

    def _state(self, work: Work, id: str, inputs: Inputs) -> State:
        found = self.describe(work, id)
        if found is None:
            raise ResourceError(
                f"{self.noun} {id} is gone", fix="run `pulumi refresh`, then repeat the command"
            )
        return self._marked(self._known(work, id, found, inputs))

    def _known(self, work: Work, id: str, found: Answer, before: Mapping[str, Any]) -> State:
        """What the API tells, and beside it what it keeps to itself, as it was."""
        told = self.state_of(work, id, found)
        if self.tag_kind:
            told["tags"] = tags_read(pick(found, "Tags.Tag"))
        unsaid = self.fields.keys() if self.unsaid is None else self.unsaid
        kept = {name: before[name] for name in unsaid if name in before and told.get(name) is None}
        return {**{name: value for name, value in told.items() if value is not None}, **kept}

    def _as_it_is(self, ctx: Context, id: str, inputs: Inputs) -> State:
        """The state of what failed half-way, so that the next attempt sees what is still to be done."""
        try:
            work = Work.of(ctx, self.product, 10)
            found = self.describe(work, id)
            known = self._known(work, id, found, inputs) if found is not None else None
        except (Refused, Unreached, ResourceError):
            known = None
        if known is None:
            late = self._late(inputs)
            known = {name: value for name, value in inputs.items() if name not in late}
        return self._marked(known)

    def _kept(self, inputs: Inputs, known: State) -> Inputs:
        """The inputs as they would be written for what is there now."""
        return {name: known[name] for name in inputs if name in known and name in self.fields}

    def _imported(self, known: State) -> Inputs:
        """Inputs that describe an imported object: what differs from absence."""
        return {
            name: known[name]
            for name, one in self.fields.items()
            if known.get(name) not in (None, "", False, [], {}) and not one.deprecated and not one.refused
        }

    def _marked(self, known: State) -> State:
        hidden = {n for n, one in self.fields.items() if isinstance(one, Property) and one.secret}
        return {n: Secret(v) if n in hidden and not isinstance(v, Secret) else v for n, v in known.items()}


_UNTAG: Final = {"ecs": "UntagResources", "vpc": "UnTagResources"}


def tag(work: Work, kind: str, ids: Sequence[str], old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Give things the tags that `new` has and `old` has not, and take the others away."""
    place = {"ResourceType": kind, "ResourceId": list(ids)}
    if gone := sorted(tags_read([{"Key": key} for key in old.keys() - new.keys()])):
        work(_UNTAG[work.product], {**place, "TagKey": gone})
    if set_ := {key: value for key, value in new.items() if old.get(key) != value}:
        work("TagResources", {**place, "Tag": tags_sent(set_)})


def _nothing_like(value: Any) -> Any:
    return _EMPTY.get(type(value), "")


def pair(id: str, form: str) -> tuple[str, str]:
    """The two ids that an attachment's is made of. Raises ResourceError where it is made otherwise."""
    first, _, second = id.partition(":")
    if not first or not second or ":" in second:
        raise ResourceError(f"'{id}' is no id of an attachment", fix=f"it is {form}")
    return first, second


def without(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A table of fields in which these make no difference."""
    return {name: replace(one, same=_same) if name in names else one for name, one in table.items()}


def _same(_old: Any, _new: Any) -> bool:
    return True
