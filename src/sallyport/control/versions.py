"""Versions side by side, and the way back to an earlier one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sallyport.control.authority import require_app_part, require_app_work
from sallyport.control.deploy import judge_of
from sallyport.control.places import environment_named
from sallyport.control.services import Services
from sallyport.manifest.compare import Difference, differences
from sallyport.manifest.load import from_json
from sallyport.model.directory import Actor
from sallyport.model.registry import Environment, Version
from sallyport.store import versions
from sallyport.store.engine import Reader, Tx
from sallyport.vocab.errors import Reason, Refused

__all__ = ["Comparison", "Difference", "compare_versions", "roll_back"]

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of one environment. `same_code`: their code is one and the same."""

    old: Version
    new: Version
    differences: tuple[Difference, ...]

    @property
    def same_code(self) -> bool:
        return self.old.bundle == self.new.bundle


async def compare_versions(
    services: Services, actor: Actor, app_id: str, environment_key: str, old: str, new: str
) -> Comparison:
    """What changed from the version numbered `old` to `new`, for builders of the app.

    Raises `Refused`.
    """

    async def ask(reader: Reader) -> Comparison:
        await require_app_part(reader, actor, app_id)
        environment = await environment_named(reader, app_id, environment_key)
        before, after = [await _numbered(reader, environment, each) for each in (old, new)]
        changed = differences(from_json(before.manifest), from_json(after.manifest))
        return Comparison(before, after, changed)

    return await services.store.read(ask)


async def roll_back(
    services: Services, actor: Actor, app_id: str, environment_key: str, number: str
) -> Version:
    """Deploy an earlier version of the newest major anew, as its next minor; durable on return.

    Installations run it from their next call on. Raises `Refused`: for another major, which each
    site's admin would have to agree to, and where the step back would reach further than now.
    """

    async def work(tx: Tx) -> Version:
        await require_app_work(tx, actor, app_id, environment_key)
        environment = await environment_named(tx, app_id, environment_key)
        wanted = await _numbered(tx, environment, number)
        newest = await versions.newest_version(tx, environment.id)
        assert newest is not None
        if wanted.id == newest.id:
            raise Refused(
                Reason.CONFLICT,
                f"Version {number} is the newest already.",
                fix="Choose an earlier version.",
            )
        if wanted.major != newest.major:
            raise Refused(
                Reason.CONFLICT,
                f"Version {number} is of another major than {newest.number}.",
                fix="Deploy that version's folder anew; site admins then agree to it.",
            )
        made, _ = await versions.add_version(
            tx,
            actor,
            environment,
            manifest=wanted.manifest,
            bundle=wanted.bundle,
            tag=f"back to {wanted.number}",
            judge=judge_of(from_json(wanted.manifest), frozenset()),
            dependencies=wanted.dependencies,
            notes=await versions.notes_of(tx, wanted.id),
        )
        return made

    return await services.store.write(work)


async def _numbered(reader: Reader, environment: Environment, number: str) -> Version:
    parts = _NUMBER.fullmatch(number)
    found = None
    if parts is not None:
        found = await versions.version_numbered(
            reader, environment.id, int(parts[1]), int(parts[2])
        )
    if found is None:
        raise Refused(
            Reason.NOT_FOUND,
            f"There is no version {number[:20]} in {environment.key}.",
            fix="`sallyport deploy list` shows the versions there are.",
        )
    return found
