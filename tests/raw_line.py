"""A raw connection to a running demo: bytes out, replies in."""

from __future__ import annotations

import socket
import ssl

from app_world import DeployedApp

TIMEOUT_S = 15


class Line:
    """A raw connection to the demo."""

    def __init__(self, app: DeployedApp) -> None:
        scheme, _, place = str(app.demo.facts["public_url"]).partition("://")
        host, _, port = place.partition(":")
        self.host = f"{host}:{port}"
        self.app = app
        self.socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        if scheme == "https":
            trusted = ssl.create_default_context()
            self.socket = trusted.wrap_socket(self.socket, server_hostname=host)
        self._rest = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def head(self, method: str, path: str, *fields: str, token: str | None = None) -> bytes:
        bearer = token or self.app.tokens["access_token"]
        lines = [f"{method} {self.app.base_path}{path} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"Authorization: Bearer {bearer}", *fields, "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> tuple[int, dict[str, str], bytes]:
        """The next reply that is not 100."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (f.partition(": ") for f in fields)}
        status = int(line.split(" ")[1])
        if status == 100:
            return self.reply()
        length = int(headers.get("content-length", "0"))
        parts, have = [self._rest], len(self._rest)
        while have < length:
            self._rest = b""
            self._more()
            parts.append(self._rest)
            have += len(self._rest)
        whole = b"".join(parts)
        self._rest = whole[length:]
        return status, headers, whole[:length]

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return self._rest
            if not data:
                return self._rest
            self._rest += data

    def _more(self) -> None:
        data = self.socket.recv(65536)
        assert data, f"the server closed after {self._rest!r}"
        self._rest += data
