"""The other contenders, each with the token check, the scope check and the function."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

from bench.gateway.contender import SCOPE, Contender
from bench.gateway.envoy import envoy_config
from bench.gateway.ours import APPS
from bench.gateway.tokens import ISSUER, Issuer
from bench.load.cores import Cores
from bench.load.packages import CACHE, NoPackages, install_packages
from bench.load.servers import Server, free_port

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "bench.txt"
WORKERD = Path(__file__).resolve().parent / "workerd"
# A response of this many bytes is what the functions give.
NGINX_CONF = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 '{{"hello": "/hello"}}'; }}
  }}
}}
"""
WORKERD_CONF = """\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "gateway", worker = (
      modules = [
        (name = "gateway.js", esModule = embed "gateway.js"),
        (name = "function.js", esModule = embed "function.js"),
      ],
      compatibilityDate = "2026-01-01",
      bindings = [
        (name = "JWK", text = {jwk}), (name = "ISSUER", text = {issuer}),
        (name = "SCOPE", text = {scope}){binding}
      ],
    )),
    (name = "function", worker = (
      modules = [(name = "function.js", esModule = embed "function.js")],
      compatibilityDate = "2026-01-01",
    )),
  ],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "gateway")],
);
"""


class Other(Contender):
    """A contender whose tokens the benchmark itself issues, in a folder that goes with it."""

    def __init__(self, name: str, what: str, port: int, issuer: Issuer, folder: Path) -> None:
        super().__init__(name, what, f"http://127.0.0.1:{port}", [], issuer.token())
        self._issuer = issuer
        self._folder = folder

    def fresh_tokens(self, count: int) -> list[str]:
        return self._issuer.tokens(count)

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def up(self, servers: list[tuple[Server, int]]) -> Contender:
        """Servers with their ports, all of which must listen."""
        self.servers = [server for server, _ in servers]
        try:
            for server, port in servers:
                server.wait_for_port(port)
        except BaseException:
            self.close()
            raise
        return self


def nginx(cores: Cores) -> Contender:
    """The limit: nothing is checked and no function runs."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NoPackages("there is no nginx (Debian: scripts/ensure-program nginx)")
    port, folder = free_port(), _folder()
    (folder / "nginx.conf").write_text(NGINX_CONF.format(port=port, folder=folder))
    made = Other("nginx, `return 200`", "nothing: the limit", port, Issuer(), folder)
    made.skipped = frozenset({"body", "cold"})
    command = [program, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    return made.up([(Server(cores, command, folder), port)])


def envoy(cores: Cores) -> Contender:
    """Envoy with one worker thread, the function on granian with one worker process."""
    environment = _environment()
    port, upstream, folder, issuer = free_port(), free_port(), _folder(), Issuer()
    (folder / "envoy.yaml").write_text(envoy_config(port, upstream, issuer.public_jwks()))
    shutil.copyfile(APPS / "rsgi.py", folder / "rsgi.py")
    granian = [
        *(str(environment / "bin" / "granian"), "--interface", "rsgi", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(upstream), "--no-access-log", "rsgi:app"),
    ]
    envoy = [
        *(str(environment / "bin" / "envoy"), "-c", str(folder / "envoy.yaml")),
        *("--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id"),
    ]
    what = "token, scope; function in another process"
    made = Other("Envoy, function on granian", what, port, issuer, folder)
    return made.up(
        [(Server(cores, granian, folder), upstream), (Server(cores, envoy, folder), port)]
    )


def fastapi(cores: Cores) -> Contender:
    """FastAPI with PyJWT on uvicorn (uvloop, httptools), one process."""
    environment, port, folder, issuer = _environment(), free_port(), _folder(), Issuer()
    shutil.copyfile(APPS / "fastapi_app.py", folder / "fastapi_app.py")
    command = [
        *(str(environment / "bin" / "uvicorn"), "fastapi_app:app", "--port", str(port)),
        *("--no-access-log", "--log-level", "error"),
    ]
    env = {"PUBLIC_KEY": issuer.public_pem(), "SCOPE": SCOPE, "ISSUER": ISSUER}
    what = "token, scope; function in the same process"
    made = Other("FastAPI and PyJWT on uvicorn", what, port, issuer, folder)
    return made.up([(Server(cores, command, folder, env), port)])


def workerd(cores: Cores, *, apart: bool) -> Contender:
    """workerd: the function in the gateway's worker, or `apart` in one of its own."""
    installed, port, folder, issuer = install_packages(WORKERD), free_port(), _folder(), Issuer()
    for name in ("gateway.js", "function.js"):
        shutil.copyfile(WORKERD / name, folder / name)
    conf = WORKERD_CONF.format(
        port=port,
        jwk=json.dumps(json.dumps(issuer.public_jwk())),
        issuer=json.dumps(ISSUER),
        scope=json.dumps(SCOPE),
        binding=', (name = "FUNCTION", service = "function")' if apart else "",
    )
    (folder / "config.capnp").write_text(conf)
    program = next(installed.glob("node_modules/@cloudflare/workerd-linux-*/bin/workerd"), None)
    if program is None:
        raise NoPackages("workerd has no program for this machine")
    place = "another worker of the same process" if apart else "the gateway's worker"
    name = "workerd, gateway and function" if apart else "workerd, in process"
    made = Other(name, f"token, scope; function in {place}", port, issuer, folder)
    command = [str(program), "serve", "config.capnp"]
    return made.up([(Server(cores, command, folder), port)])


def _folder() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="gateway-", dir=CACHE))


def _environment() -> Path:
    """A virtual environment with requirements/bench.txt. Raises `NoPackages`."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    environment = CACHE / f"gateway-packages-{digest}"
    if not (environment / "ready").exists():
        try:
            venv.create(environment, with_pip=True, clear=True)
            subprocess.run(
                [
                    *(str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"),
                    *("--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)),
                ],
                check=True,
                timeout=600,
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise NoPackages(f"pip install failed: {error}") from None
        (environment / "ready").touch()
    return environment
