"""A hosted service on the loopback, for the reproductions that ask about the sync."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from world import control

#: The variable with which a command syncs.
SYNCING = {"SPEC_KITTY_ENABLE_SAAS_SYNC": "1"}


class Service(BaseHTTPRequestHandler):
    """Logs anybody in, and answers everything else with ``status`` and ``body``."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answers = {
            "/oauth/device": {"device_code": "d", "user_code": "A-B", "verification_uri": "http://127.0.0.1/", "interval": 0},
            "/oauth/token": {
                "access_token": "a", "refresh_token": "r", "expires_in": 10**6, "refresh_token_expires_in": 10**6,
                "session_id": "s", "scope": "offline_access", "token_type": "Bearer",
            },
            "/api/v1/me": {
                "user_id": "u", "email": "finding@example.invalid", "name": "Finding",
                "teams": [{"id": "t", "name": "T", "role": "owner", "is_private_teamspace": True}],
            },
        }  # fmt: skip
        fixed = answers.get(self.path)
        if fixed is None:
            self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(200 if fixed else 302 if self.server.redirect else self.server.status)
        body = (json.dumps(fixed) if fixed else self.server.body).encode()
        if self.server.redirect and not fixed:
            self.send_header("Location", f"{self.server.redirect}/")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the name is the base class's

    def log_message(self, *words):
        pass


@contextmanager
def hosted(status=200, body="{}", redirect=None):
    """Give a hosted service on the loopback; ``asked`` is what it was asked besides logging in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.status, server.body, server.redirect, server.asked = status, body, redirect, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def login(w, service):
    """Log in to a service and return the variables with which a command syncs with it."""
    for folder in (".spec-kitty", ".kittify"):
        (w.home / folder).mkdir(exist_ok=True)
        (w.home / folder / "config.toml").write_text(
            f'[sync]\nserver_url = "{service.url}"\nbackground_daemon = "manual"\n'
        )
    on = {**SYNCING, "SPEC_KITTY_SAAS_URL": service.url, "NO_PROXY": "127.0.0.1"}
    control(w.run("auth", "login", "--headless", **on).status == 0, "it cannot be logged in")
    return on


def spoil_stores(w):
    """Make the local stores of the sync unreadable, and return them."""
    stores = [*w.home.rglob("*.db"), *w.root.rglob("*.db")]
    control(bool(stores), "no store")
    for store in stores:
        store.write_bytes(b"junk" * 1000)
    return stores
