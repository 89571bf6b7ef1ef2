from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from ledger_rows import complete, final, final_score, score, spec, write, write_every_state
from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from study.api import Results
from study.results.html import to_html
from study.results.leaderboard import RankedTrials, read_leaderboard
from study.results.storage import Storage


class Page(HTMLParser):
    """What a page shows: its rows of cells, and its paragraphs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.paragraphs: list[str] = []
        self.tags: set[str] = set()
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.tags.add(tag)
        self.inside = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "p":
            self.paragraphs.append("")

    def handle_data(self, data: str) -> None:
        if self.inside in ("td", "th"):
            self.rows[-1][-1] += data
        elif self.inside == "p":
            self.paragraphs[-1] += data


def test_a_table_and_lines() -> None:
    table = Table("a", "b", title="the <title>")
    table.add_row(Text("<script>"), "1 & 2")
    html = to_html(Group(Text("above"), table, Text("[bold]below")))
    page = Page(html)
    assert page.rows == [["a", "b"], ["<script>", "1 & 2"]]
    assert page.paragraphs == ["above", "[bold]below"]
    assert "script" not in page.tags
    assert "<caption>the &lt;title&gt;</caption>" in html


def test_what_has_no_form() -> None:
    with pytest.raises(TypeError, match="no form in HTML"):
        to_html(Rule())


@pytest.fixture
def results(storage: Storage) -> Results:
    write_every_state(storage)
    return Results("s", storage)


def test_results_of_a_study(results: Results) -> None:
    assert repr(results) == f"Results('s' in {results.storage.uri})"
    page = Page(results._repr_html_())
    assert page.paragraphs[0] == "study s: 2 complete, 1 pruned, 1 failed, 1 running"
    header, *rows = page.rows
    assert header[:3] == ["rank", "trial", "score"]
    assert [row[1] for row in rows] == ["1", "2", "0"]


def test_a_ranking_is_a_list_that_shows_itself(results: Results) -> None:
    best = results.best(2)
    assert isinstance(best, list)
    assert [row.trial for row in best] == [1, 2]
    assert repr(best).split()[:3] == ["rank", "trial", "score"]
    assert max(map(len, repr(best).splitlines())) <= 80
    assert [row[1] for row in Page(best._repr_html_()).rows] == ["trial", "1", "2"]
    assert len(repr(best[0])) < 150
    assert repr(RankedTrials()) == "[]"
    assert "no trial has a score yet" in RankedTrials()._repr_html_()


def test_names_are_escaped_and_no_column_is_left_out(storage: Storage) -> None:
    storage.claim("s", "")
    for trial in range(2):
        config = {f"parameter_number_{n}": f"<i>{trial}</i>" for n in range(30)}
        write(storage, "s", score(trial, 1.0 + trial), complete(trial, 1.0 + trial, **config))
    page = Page(Results("s", storage)._repr_html_())
    assert len(page.rows[0]) >= 30
    assert page.rows[1][-1] == "<i>0</i>"
    assert "i" not in page.tags


def test_nothing_to_show(storage: Storage) -> None:
    storage.claim("s", "")
    results = Results("s", storage)
    assert Page(results._repr_html_()).paragraphs == [
        "study s: no trial yet",
        "no trial has a score yet",
    ]
    gone = Results("t", storage)
    assert "No study named 't'" in Page(gone._repr_html_()).paragraphs[0]


def test_scores_that_do_not_compare_say_so(storage: Storage) -> None:
    storage.claim("s", "")
    other = replace(score(1, 2.0), steps=50)
    write(storage, "s", score(0, 1.0), complete(0, 1.0), other, complete(1, 2.0))
    board = read_leaderboard(storage, "s")
    assert repr(board) == "Leaderboard('s', 2 trials)"
    (paragraph,) = Page(board._repr_html_()).paragraphs
    assert "steps" in paragraph


def test_finalists_and_a_front(storage: Storage) -> None:
    storage.claim("s", "")
    several = spec(objectives=("score", "parameters"))
    for trial, parameters in ((0, 10), (1, 5)):
        row = replace(complete(trial, 1.0 + trial), spec=several, parameters=parameters)
        write(storage, "s", score(trial, 1.0 + trial), row)
    write(storage, "s", final_score(2, 3.0), replace(final(2, 0), spec=several))
    results = Results("s", storage)
    finals, front = results.finals(), results.front()
    assert finals is not None
    assert front is not None
    assert "finalists, trained again" in repr(finals)
    assert "interval" in Page(finals._repr_html_()).rows[0]
    assert "the Pareto front of score, parameters" in repr(front)
    assert [row[0] for row in Page(front._repr_html_()).rows] == ["trial", "0", "1"]
