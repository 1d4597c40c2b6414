from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from xpot_core.cli.report.report import report
from xpot_core.errors import InputError
from xpot_core.report.html.study import write_report
from xpot_core.results.read import StudyResults

pytest.importorskip("matplotlib")
Maker = Callable[..., StudyResults]
VOID = {"meta", "br", "img", "link", "hr", "input"}


class _Checker(HTMLParser):
    """Collects what the tests look at and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert tag not in ("script", "link", "iframe")
        if tag == "img":
            self.images.append(values)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a":
            self.links.append(str(values["href"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _parse(path: Path) -> _Checker:
    checker = _Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    assert checker.open == []
    return checker


def test_report_is_one_whole_file(finished: StudyResults, tmp_path: Path):
    path, written = write_report(finished, tmp_path / "out" / "r.html", tmp_path / "figures")
    page = _parse(path)
    assert path.stat().st_size < 3_000_000
    assert len(page.images) == 13
    assert len(written) == 39
    for image in page.images:
        assert str(image["src"]).startswith("data:image/")
        assert len(str(image["alt"])) > 40
    assert len(set(page.ids)) == len(page.ids)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert not re.search(r"""(?:src|href)\s*=\s*["']https?:""", path.read_text())
    text = " ".join(page.text)
    for wanted in ("abc123", "xpot export", "Du Toit".lower(), "raise limits.memory", "repulsive", "3.11.7"):
        assert wanted in text or wanted in text.lower(), wanted
    assert [p.name for p in path.parent.iterdir()] == ["r.html"]


def test_everything_from_outside_is_escaped(finished: StudyResults, tmp_path: Path):
    path, _ = write_report(finished, tmp_path / "r.html")
    text = path.read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)" in text


@pytest.mark.slow
def test_default_place_is_the_run_folder(make_study: Maker):
    results = make_study(trials=3)
    path, _ = write_report(results)
    assert path == results.directory / "report.html"


@pytest.mark.parametrize(
    "options",
    [
        {"trials": 0},
        {"trials": 0, "running": 1},
        {"trials": 1},
        {"trials": 4, "fail_every": 1},
        {"trials": 12, "running": 2, "finish": False},
    ],
)
def test_report_of_any_study(make_study: Maker, options: dict):
    path, _ = write_report(make_study(**options))
    _parse(path)


@pytest.mark.slow
def test_study_of_a_plugin_that_is_not_installed(make_study: Maker):
    results = make_study(study={"fitter": {"not-there": {}}, "optimizer": {"also-not-there": {}}})
    path, _ = write_report(results)
    assert "not-there" in " ".join(_parse(path).text)


def test_lost_predictions_cost_only_their_figures(make_study: Maker):
    results = make_study()
    for path in (results.directory / "best").glob("predictions-*.xyz"):
        path.unlink()
    path, _ = write_report(results)
    ids = _parse(path).ids
    assert "figure-parity" not in ids
    assert "figure-group-errors" in ids


@pytest.mark.slow
def test_a_thousand_trials_in_seconds(make_study: Maker):
    results = make_study(trials=1000, fail_every=11, groups_of_failures=5)
    start = time.process_time()
    path, _ = write_report(results)
    assert time.process_time() - start < 40  # 7 to 11 s of CPU as measured
    assert path.stat().st_size < 3_000_000
    assert "1000" in " ".join(_parse(path).text)


def test_command(make_study: Maker, tmp_path: Path):
    results = make_study(trials=2, finish=False)
    arguments = [
        str(results.directory),
        "--output",
        str(tmp_path / "r.html"),
        "--figures",
        str(tmp_path / "f"),
    ]
    outcome = CliRunner().invoke(report, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0
    assert "wrote" in outcome.output
    assert (tmp_path / "f" / "convergence.csv").is_file()


@pytest.mark.parametrize(
    ("module", "name"), [("matplotlib", "matplotlib"), ("jinja2", "jinja2"), ("sklearn", "scikit-learn")]
)
def test_without_a_package_the_user_reads_what_to_install(
    finished: StudyResults, monkeypatch: pytest.MonkeyPatch, module: str, name: str
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"need {name}") as caught:
        CliRunner().invoke(report, [str(finished.directory)], catch_exceptions=False)
    assert caught.value.remedy == "pip install xpot-core[report]"
    assert caught.value.exit_status == 2


def test_text_can_be_read_in_both_colour_schemes() -> None:
    """Contrast by WCAG 2: 4.5 to 1 for text on each of its grounds."""
    import re
    from pathlib import Path

    from xpot_core.report import html

    style = (Path(html.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
    schemes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(schemes) == 2

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for scheme in schemes:
        for text in ("ink", "soft", "accent"):
            for ground in ("paper", "tint"):
                low, high = sorted(light(scheme[name]) for name in (text, ground))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
