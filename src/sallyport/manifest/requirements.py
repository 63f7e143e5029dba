"""The Python packages that an app asks for: requirements.txt, or dependencies in pyproject.toml.

Only names, extras, versions, markers and hashes are taken. Options, addresses and paths would let
an upload choose where the platform fetches from or what it reads.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

from sallyport.vocab.errors import Reason, Refused

REQUIREMENTS_FILE: Final = "requirements.txt"
PROJECT_FILE: Final = "pyproject.toml"
LARGEST: Final = 256 * 1024
MOST: Final = 200
LONGEST: Final = 4_096

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+"
_VERSIONS = rf"(?:{_VERSION}(?:\s*,\s*{_VERSION})*)"
_REQUIREMENT = re.compile(
    rf"(?P<name>{_NAME})\s*(?:\[\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\])?\s*"
    rf"(?:{_VERSIONS}|\(\s*{_VERSIONS}\s*\))?\s*"
    r"(?:;[A-Za-z0-9_.,<>=!~'\"()\s+*-]+)?",
    re.ASCII,
)
_HASH = re.compile(r"\s--hash=(?P<hash>sha(?:256|384|512):[0-9a-f]{64,128})(?=\s|$)", re.ASCII)
_COMMENT = re.compile(r"(?:^|\s)#.*$")


def read_requirements(requirements: bytes | None, project: bytes | None) -> tuple[str, ...]:
    """What is asked for, a requirement each (PEP 508), with its `--hash` options if it has any.

    Where there is a requirements.txt it is what counts, else `project.dependencies` of
    pyproject.toml. Raises `Refused` (`dependencies_invalid`), naming file and line.
    """
    if requirements is not None:
        return _limited(_of_requirements(_text(REQUIREMENTS_FILE, requirements)), REQUIREMENTS_FILE)
    if project is not None:
        return _limited(_of_project(_text(PROJECT_FILE, project)), PROJECT_FILE)
    return ()


def name_of(requirement: str) -> str:
    """The package's name in a requirement, normalized (PEP 503)."""
    found = _REQUIREMENT.match(requirement)
    assert found is not None
    return normalized(found["name"])


def normalized(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _of_requirements(text: str) -> list[str]:
    found = []
    for number, line in _lines(text):
        hashes = [match["hash"] for match in _HASH.finditer(line)]
        bare = _HASH.sub(" ", line).strip()
        found.append(
            " ".join(
                [
                    _checked(bare, f"{REQUIREMENTS_FILE}:{number}"),
                    *(f"--hash={each}" for each in hashes),
                ]
            )
        )
    return found


def _of_project(text: str) -> list[str]:
    try:
        project = tomllib.loads(text).get("project", {})
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _refused(f"{PROJECT_FILE} is not TOML: {str(error)[:200]}.") from None
    listed = project.get("dependencies", []) if isinstance(project, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise _refused(f"project.dependencies in {PROJECT_FILE} is not a list of texts.")
    return [_checked(each.strip(), PROJECT_FILE) for each in listed]


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines that say something, with the numbers where they begin; continuations joined."""
    found = []
    pending, begun = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole = _COMMENT.sub("", pending + line).strip()
        if whole:
            found.append((begun, whole))
        pending, begun = "", 0
    if pending.strip():
        found.append((begun, pending.strip()))
    return found


def _checked(requirement: str, where: str) -> str:
    # To pip, a word that begins with a hyphen is an option, wherever it stands.
    is_plain = len(requirement) <= LONGEST and re.search(r"\s-", requirement) is None
    if not is_plain or _REQUIREMENT.fullmatch(requirement) is None:
        raise _refused(
            f"{where}: {requirement[:100]!r} is not a package's name with versions.",
            "Write it like `requests>=2.31`; options, addresses, paths and editable installs "
            "are not taken.",
        )
    return " ".join(requirement.split())


def _limited(found: list[str], file: str) -> tuple[str, ...]:
    if len(found) > MOST:
        raise _refused(f"{file} names {len(found)} packages; {MOST} are allowed.")
    hashed = [each for each in found if " --hash=" in each]
    if hashed and len(hashed) < len(found):
        bare = next(each for each in found if " --hash=" not in each)
        raise _refused(
            f"{file} has hashes for some packages and none for {bare[:100]!r}.",
            "Give all of them a hash, or none.",
        )
    return tuple(found)


def _text(file: str, data: bytes) -> str:
    if len(data) > LARGEST:
        raise _refused(f"{file} is larger than {LARGEST // 1024} KB.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(f"{file} is not UTF-8 text.") from None


def _refused(detail: str, fix: str = "Mend the file and deploy again.") -> Refused:
    return Refused(Reason.DEPENDENCIES_INVALID, detail, fix=fix)
