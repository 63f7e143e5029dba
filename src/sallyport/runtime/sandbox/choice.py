"""Which driver runs app code here: what the operator asked for, as far as this host has it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, NoReturn

from sallyport.runtime.sandbox.driver import (
    UNTRUSTED_CODE_NEEDS,
    Driver,
    Guarantee,
    Launch,
    PlainDriver,
    fit_for_untrusted_code,
    missing_guarantees,
)
from sallyport.runtime.sandbox.filter import supported
from sallyport.runtime.sandbox.sandboxed import SandboxDriver

Wanted = Literal["auto", "sandbox", "plain"]
_WANTED: Final[dict[str, Wanted]] = {"auto": "auto", "sandbox": "sandbox", "plain": "plain"}
OLDEST_KERNEL: Final = (5, 12)
_BY_CONSTRUCTION: Final = (Guarantee.OWN_PROCESS, Guarantee.DIES_WITH_PLATFORM)


@dataclass(frozen=True, slots=True)
class Examination:
    """What this host can hold app code to. `problem` says why there is no sandbox; "" if there is.

    `groups` are the control group controllers that workers are held to.
    """

    guarantees: frozenset[Guarantee]
    groups: tuple[str, ...]
    problem: str

    @property
    def fit(self) -> bool:
        """Whether untrusted code can be run."""
        return not self.problem and self.guarantees >= UNTRUSTED_CODE_NEEDS

    @property
    def lines(self) -> list[Line]:
        """Each guarantee, for people to read."""
        return [
            Line(each.name.lower(), each.value, each in self.guarantees, _is_needed(each))
            for each in Guarantee
        ]


class Line(NamedTuple):
    """One guarantee: whether it is `kept` here, and `needed` for untrusted code."""

    name: str
    text: str
    kept: bool
    needed: bool


class Trust(NamedTuple):
    """What an operator must know at every start.

    `fit`: code of developers whom the operator does not trust can be run. `missing` is what it
    would need besides; `problem` says why no code is run at all, "" where it is.
    """

    fit: bool
    missing: tuple[str, ...]
    problem: str


class NoSandbox:
    """The driver of a host that cannot do what was asked of it: it starts nothing."""

    name = "none"
    guarantees: frozenset[Guarantee] = frozenset()
    confinement: Mapping[str, bool] = {"drop_capabilities": True}

    def __init__(self, problem: str) -> None:
        self.problem = problem

    def start(self, launch: Launch) -> NoReturn:
        raise OSError(0, self.problem)

    def close(self) -> None:
        """There is nothing."""


def as_wanted(text: str) -> Wanted:
    """A setting's value. Raises `KeyError`."""
    return _WANTED[text]


def choose_driver(
    wanted: Wanted, readable: tuple[Path, ...] = (), *, or_plain: bool = False
) -> Driver:
    """The driver for this host. Tries a sandbox out first, which takes a tenth of a second.

    `auto` and `sandbox` give a driver that starts nothing where no sandbox can be had; with
    `or_plain`, `auto` gives the plain one instead.
    """
    if wanted == "plain":
        return PlainDriver()
    driver = SandboxDriver(readable)
    examined = examine(driver)
    if examined.fit:
        driver.guarantees = examined.guarantees
        return driver
    driver.close()
    if wanted == "auto" and or_plain:
        return PlainDriver()
    return NoSandbox(examined.problem)


def trust_in(driver: Driver) -> Trust:
    """What to say of a driver that was chosen."""
    problem = driver.problem if isinstance(driver, NoSandbox) else ""
    return Trust(fit_for_untrusted_code(driver), missing_guarantees(driver), problem)


def _is_needed(guarantee: Guarantee) -> bool:
    return guarantee in UNTRUSTED_CODE_NEEDS


def examine(driver: SandboxDriver) -> Examination:
    """Start a process in a sandbox and have it try what it should not be able to do."""
    problem = _problem()
    if problem:
        return Examination(frozenset(), (), problem)
    try:
        found = driver.check()
    except OSError as error:
        return Examination(frozenset(), (), _explained(error))
    kept = {each for each in Guarantee if each.name in found} | set(_BY_CONSTRUCTION)
    groups = tuple(name for name in ("memory", "pids", "cpu", "unified") if name in found)
    if "unified" in groups or len(groups) == 3:
        kept.add(Guarantee.GROUP_LIMITS)
    missing = [each.value for each in Guarantee if each in UNTRUSTED_CODE_NEEDS - kept]
    return Examination(
        frozenset(kept), groups, f"it does not hold that {missing[0]}" if missing else ""
    )


def _problem() -> str:
    if platform.system() != "Linux":
        return "sandboxes need Linux"
    if not supported():
        return f"there is no filter of system calls for {platform.machine()} processors"
    version = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if version < OLDEST_KERNEL:
        return f"the kernel is {platform.release()}; sandboxes need 5.12 or later"
    return ""


def _explained(error: OSError) -> str:
    text = error.strerror or str(error)
    if "unshare" in text or "setgroups" in text or "uid_map" in text:
        return (
            f"{text}; let this user make user namespaces (sysctl user.max_user_namespaces, "
            "kernel.apparmor_restrict_unprivileged_userns), or run in a container with "
            "CAP_SYS_ADMIN or without a seccomp profile"
        )
    return text
