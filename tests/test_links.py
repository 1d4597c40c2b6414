"""Links of the pages to other sites: their form always, and in CI whether there is still something behind them.

Only an answer that says that the page is gone is a fault. No network, a site that is down, or one that wants no
programs says nothing about our page.
"""

from __future__ import annotations

import http.server
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
_PATTERNS = (
    "*.md",
    "CITATION.cff",
    "docs/*.md",
    "docs/guide/*.md",
    "docs/plugins/*.md",
    "docs/tutorials/*.md",
    "plugins/*/README.md",
    "libraries/*/README.md",
    "examples/**/README.md",
)
_LINK = re.compile(r"https?://[^\s)>\]\"'`]+")
_OURS = ("127.0.0.1", "localhost", "head-node")
_GONE = (404, 410)
_SECONDS = 20.0


def _links() -> dict[str, list[str]]:
    """Address -> pages that name it."""
    found: dict[str, list[str]] = {}
    for pattern in _PATTERNS:
        for page in ROOT.glob(pattern):
            for link in _LINK.findall(page.read_text(encoding="utf-8")):
                if urlsplit(link).hostname not in _OURS:
                    found.setdefault(link.rstrip(".,;:"), []).append(str(page.relative_to(ROOT)))
    return found


def _status(link: str) -> int | None:
    """What the site answers; None where it gives no answer at all."""
    request = urllib.request.Request(link.partition("#")[0], headers={"User-Agent": "xpot-links"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return None


def test_links_are_well_formed_and_safe() -> None:
    found = _links()
    assert found
    for link, pages in found.items():
        parts = urlsplit(link)
        assert parts.scheme == "https", (link, pages)
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.hostname or ""), (link, pages)
        assert "@" not in parts.netloc, (link, pages)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("XPOT_LINKS"), reason="asks other sites only where XPOT_LINKS is set")
def test_there_is_something_behind_each_link() -> None:
    found = _links()
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(found, pool.map(_status, found), strict=True))
    if not any(answers.values()):
        pytest.skip("no network answers")
    gone = {link: found[link] for link, status in answers.items() if status in _GONE}
    assert not gone


class _Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_only_pages_that_are_gone_are_faults(site: str) -> None:
    for code in (200, 403, 404, 410, 500):
        assert _status(f"{site}/{code}#there") == code
    assert _status("http://127.0.0.1:9/") is None
    assert 403 not in _GONE
    assert 500 not in _GONE
