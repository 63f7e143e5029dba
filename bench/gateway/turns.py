"""One contender's turn: the load of one kind, and what the server used for it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

import httpx

from bench.gateway.contender import ECHO, HELLO, Contender, Kind
from bench.load.cores import Cores
from bench.load.runs import Paced, run_paced
from bench.load.wrk import SCRIPTS, Run, run_wrk

# More than the fastest contender checks anew in a turn; wrk ends when it has sent them all.
FRESH_TOKENS_A_SECOND = 12_000


@dataclass(frozen=True, slots=True)
class Taken:
    """`cpu_us` is processor time of all of a contender's processes for a request."""

    name: str
    kind: str
    run: Run
    cpu_us: float
    pss_mb: float


def check(contender: Contender) -> None:
    """The call is answered with a good token, and refused without one. Raises `RuntimeError`."""
    good = {"Authorization": f"Bearer {contender.token}"}
    answer = httpx.get(contender.url + HELLO, headers=good, timeout=30)
    if answer.status_code != 200 or answer.json() != {"hello": HELLO}:
        raise RuntimeError(f"{contender.name} answers {answer.status_code}: {answer.text}")
    if "body" not in contender.skipped:
        body = "x" * 16_384
        sent = {**good, "Content-Type": "application/json"}
        answer = httpx.post(contender.url + ECHO, headers=sent, content=body, timeout=30)
        if answer.status_code != 200 or answer.text != body:
            raise RuntimeError(f"{contender.name} echoes {answer.status_code}")
        forged = {"Authorization": f"Bearer {contender.token[:-8]}AAAAAAAA"}
        answer = httpx.get(contender.url + HELLO, headers=forged, timeout=30)
        if answer.status_code != 401:
            raise RuntimeError(f"{contender.name} lets a forged token in: {answer.status_code}")


def take(cores: Cores, contender: Contender, kind: Kind, seconds: float) -> Taken:
    """Load a contender for a while."""
    tokens = [contender.token]
    if kind.cold:
        tokens = contender.fresh_tokens(round(FRESH_TOKENS_A_SECOND * seconds))
    used = _cpu(contender)
    if kind.rate is None:
        run = _saturated(cores, contender, kind, seconds, tokens)
    else:
        calls = Paced(contender.url + HELLO, contender.token, kind.rate, kind.connections)
        (run,) = run_paced(cores, calls, seconds)
    cpu_us = (_cpu(contender) - used) * 1e6 / max(1, run.requests)
    pss = sum(each.memory().pss for each in contender.servers)
    return Taken(contender.name, kind.name, run, cpu_us, pss)


def _saturated(
    cores: Cores, contender: Contender, kind: Kind, seconds: float, tokens: list[str]
) -> Run:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(tokens))
        file.flush()
        return run_wrk(
            cores,
            contender.url + (ECHO if kind.body else HELLO),
            SCRIPTS / "call.lua",
            connections=kind.connections,
            seconds=seconds,
            told={
                "METHOD": "POST" if kind.body else "GET",
                "BODY": str(kind.body),
                "TOKENS": file.name,
            },
        )


def _cpu(contender: Contender) -> float:
    return sum(each.cpu_seconds() for each in contender.servers)
