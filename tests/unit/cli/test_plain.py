"""Text of jobs can do nothing to a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.cli.plain import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred in 8 bits", "red in 8 bits"),
        ("\x1b[?1049h\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d52;c;Y29weQ==\x9ccopied", "copied"),
        ("\x1bP1$r\x1b\\device", "device"),
        ("\x1b]0;an unfinished one hides nothing", "0;an unfinished one hides nothing"),
        ("\x1b(Bcharset\x1bc", "charset"),
        ("at the end \x1b", "at the end "),
        ("bell\x07back\x08space\x7fdel\x00", "bellbackspacedel"),
        ("50%\r100%\n\ttab", "50% 100%  tab"),
        ("a\x85b\u2028c\u2029d", "a b c d"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2066isolated\u2069\u200f\u061c", "isolated"),
        ("zero\u200bwidth\ufeff\u00ad", "zerowidth"),
        ("tag\U000e0041", "tag"),
        ("\ud800", "\ufffd"),
        ("naïve 日本 👩\u200d🚀", "naïve 日本 👩\u200d🚀"),
    ],
)
def test_only_what_can_be_seen_is_left(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Ll", "Nd", "Po", "Ps", "Pe", "Cs"])))
def test_nothing_gets_through_that_a_terminal_acts_on(text: str) -> None:
    shown = plain(text)
    categories = {unicodedata.category(character) for character in shown} - {"Cf"}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert {character for character in shown if unicodedata.category(character) == "Cf"} <= {"\u200c", "\u200d"}
    assert plain(shown) == shown
