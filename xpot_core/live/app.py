"""The web application: one page, and the panels of studies as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from xpot_core.errors import InputError, XpotError
from xpot_core.live.drawing import Panel
from xpot_core.live.guard import HOSTS, Guard
from xpot_core.live.library import Library, OpenStudy
from xpot_core.live.panels import accuracy, compare, course, curves, space, structure, tests, trade_off
from xpot_core.system.foreign_text import printable

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

_PAGE = Path(__file__).with_name("page")
_FILES = ("index.html", "live.js", "parts.js", "sketch.js", "style.css")
_KEPT = {"cache-control": "private, max-age=86400"}
"""The library for plots, under an address that no other start of the server has."""

PANELS: Mapping[str, tuple[str, Callable[[OpenStudy, Mapping[str, str]], Panel]]] = {
    "summary": ("Summary", lambda study, _: course.summary(study)),
    "convergence": ("Convergence", lambda study, _: course.convergence(study)),
    "curves": ("Learning curves", lambda study, _: curves.curves(study)),
    "parallel": ("Parallel coordinates", lambda study, _: space.parallel(study)),
    "slices": ("Hyperparameters", space.slices),
    "pareto": ("Pareto set", lambda study, _: trade_off.pareto(study)),
    "parity": ("Parity", accuracy.parity),
    "structures": ("Structures", accuracy.structures),
    "groups": ("Errors by group", lambda study, _: accuracy.groups(study)),
    "tests": ("Physical tests", lambda study, _: tests.tests(study)),
    "failures": ("Failures", lambda study, _: course.failures(study)),
    "timeline": ("Timeline", lambda study, _: course.timeline(study)),
}
"""Views of one study: name -> title and what makes it."""


def application(library: Library, token: str) -> ASGIApp:
    """The application over the studies of a library, for whoever knows the token."""
    views = Views(library)
    routes = [
        Route("/", views.page),
        Route("/plotly.js", views.plotly),
        Route("/api/studies", views.studies),
        Route("/api/panel/{panel}", views.panel),
        Route("/api/structure", views.structure),
        Route("/{name}", views.page),
    ]
    inner = Starlette(routes=routes, exception_handlers={XpotError: _refuse})
    return Guard(TrustedHostMiddleware(inner, allowed_hosts=HOSTS, www_redirect=False), token)


class Views:
    """What answers each address; all of it only reads.

    Parameters
    ----------
    library
        The studies that are shown.
    """

    def __init__(self, library: Library) -> None:
        self.library = library

    def page(self, request: Request) -> Response:
        """The page and its own scripts and styles."""
        name = request.path_params.get("name", "index.html")
        if name not in _FILES:
            return Response("there is nothing here", 404)
        return FileResponse(_PAGE / name, headers={"cache-control": "no-cache"})

    def plotly(self, request: Request) -> Response:
        """The library for plots, as it lies in its Python package."""
        return FileResponse(str(files("plotly") / "package_data" / "plotly.min.js"), headers=_KEPT)

    def studies(self, request: Request) -> Response:
        """All studies of the folder at a glance."""
        titles = {name: title for name, (title, _) in PANELS.items()}
        rows = [entry.to_json() for entry in self.library.entries()]
        return _json(
            Panel([]).to_json() | {"studies": rows, "panels": titles, "runs": str(self.library.runs)}
        )

    def panel(self, request: Request) -> Response:
        """A view of one study, or several studies side by side; 304 where nothing has changed."""
        names, asked = request.query_params.getlist("study"), dict(request.query_params)
        stamp = " ".join(self.library.stamp(name) for name in names)
        tag = f'"{stamp}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        studies, which = [self.library.study(name) for name in names], request.path_params["panel"]
        if which == "compare":
            found = compare.compare(studies, asked)
        elif which in PANELS and len(studies) == 1:
            found = PANELS[which][1](studies[0], asked)
        else:
            raise InputError("there is no such panel", key="panel", value=which)
        return _json(found.to_json(), tag)

    def structure(self, request: Request) -> Response:
        """One structure in three dimensions."""
        asked = request.query_params
        index = asked.get("index", "")
        study = self.library.study(asked.get("study", ""))
        figure = structure.structure(study, asked.get("set", ""), int(index) if index.isdecimal() else -1)
        return _json(Panel([figure]).to_json())


def _json(data: Any, tag: str = "") -> Response:
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    headers = {"cache-control": "no-store", **({"etag": tag} if tag else {})}
    return Response(text, media_type="application/json", headers=headers)


def _refuse(request: Request, error: Exception) -> Response:
    """What is wrong, in the words of the command line."""
    answer = _json({"error": printable(error, lines=True)})
    answer.status_code = 404
    return answer
