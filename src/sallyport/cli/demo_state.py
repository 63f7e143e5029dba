"""What the demo knows of itself, and how it speaks to the platform that it runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from sallyport.cli.failures import Failed

ENVIRONMENT = "development"
PRODUCT = "jira"
STATE = "demo.json"


@dataclass(slots=True)
class Demo:
    """What the steps work with and find out; `state` is what is kept."""

    url: str
    folder: Path
    setup_link: str | None
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def app_folder(self) -> Path:
        return self.folder / "employee-directory"

    def save(self) -> None:
        """Keep the state, whole or not at all; it holds secrets."""
        path = self.folder / STATE
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.state, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def load(self) -> None:
        path = self.folder / STATE
        if path.exists():
            self.state = json.loads(path.read_text())

    async def call(self, who: str, method: str, path: str, **request: Any) -> Any:
        """One request to the control API as one of the demo's people; its JSON answer."""
        person = self.state["operator"] if who == "operator" else self.state["accounts"][who]
        async with httpx.AsyncClient(timeout=60) as http:
            answer = await http.request(
                method,
                f"{self.url}/api/v1{path}",
                auth=(person["email"], person["api_token"]),
                **request,
            )
        return answer_of(answer)

    @property
    def base_url(self) -> str:
        site = self.state["site"]
        tail = f"apps/{self.state['app_id']}_{self.state['environment_id']}"
        return f"{self.url}/svc/{PRODUCT}/{site['site_id']}/{tail}"

    @property
    def site_url(self) -> str:
        port = urlsplit(self.url).port
        return f"http://{self.state['site']['host']}:{port}"


def answer_of(answer: httpx.Response) -> Any:
    """The JSON of a good answer. Raises `Failed`."""
    if answer.is_error:
        raise Failed(f"{answer.request.method} {answer.request.url.path}: {answer.text[:500]}")
    return answer.json() if answer.content else None
