"""Filter patterns: what they match, where they are wrong, and that none takes long."""

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.errors import InvalidRequest
from longshore.logs.patterns import parse_pattern
from longshore.logs.patterns.columns import split_columns

TERMS = [
    ("", "anything", True),
    ("  ", "anything", True),
    ("ERROR", "an ERROR", True),
    ("ERROR", "an error", False),
    ("a b", "b and a", True),
    ("a b", "only b", False),
    ('"two words"', "these two words", True),
    ('"two words"', "words two", False),
    ("ERROR -EXIT", "ERROR here", True),
    ("ERROR -EXIT", "ERROR EXIT", False),
    ("?one ?two", "has two", True),
    ("?one ?two", "has three", False),
    ("three ?one ?two", "has three", True),
    ('-"not this"', "but that", True),
    (r'"say \"x\""', 'I say "x"', True),
    ("%AUTHORIZED%", "UNAUTHORIZED REQUEST", True),
    (r"%\d{3}\s[A-Z]+$%", "ERROR 404 GONE", True),
    (r"%^\d%", "ERROR 404", False),
    ("%gr[ae]y|blue%", "a grey cat", True),
    ("ERROR -%4\\d\\d%", "ERROR 500", True),
    ("ERROR -%4\\d\\d%", "ERROR 404", False),
    ("?%a+b% ?c", "xaab", True),
    ("100%", "at 100% now", True),
    ("%s", "a %s there", True),
    ("- a", "a - b", True),
]


@pytest.mark.parametrize(("pattern", "message", "expected"), TERMS)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert parse_pattern(pattern)(message) is expected


EVENT = json.dumps(
    {
        "eventType": "UpdateTrail",
        "address": "123.123.4.5",
        "array": ["value", {"id": 7}, [1, [2]]],
        "objects": [{"id": 1}, {"id": 2}],
        "none": None,
        "yes": True,
        "no": False,
        "count": 42,
        "ratio": 1.5e-3,
        "code": "42",
        "cluster.name": "c",
        "a-b": "dash",
        "text": 'say "hi" 100%',
        "status": 404,
    }
)
JSON = [
    ('{ $.eventType = "UpdateTrail" }', True),
    ("{$.eventType=UpdateTrail}", True),
    ('{ $.eventType = "updateTrail" }', False),
    ('{ $.eventType = "Update*" }', True),
    ("{ $.eventType = *Trail }", True),
    ("{ $.eventType = U*T*l }", True),
    ("{ $.eventType = U*X*l }", False),
    ("{ $.address != 123.123.* }", False),
    ("{ $.address != 10.* }", True),
    ("{ $.array[0] = value }", True),
    ("{ $.array[1].id = 7 }", True),
    ("{ $.array[2][1][0] = 2 }", True),
    ("{ $.array[9] = 2 }", False),
    ("{ $.array = * }", False),
    ("{ $.array != x }", False),
    ("{ $.array EXISTS }", True),
    ("{ $.objects[1].id >= 2 }", True),
    ("{ $.none IS NULL }", True),
    ("{ $.yes IS NULL }", False),
    ("{ $.missing IS NULL }", False),
    ("{ $.missing NOT EXISTS }", True),
    ("{ $.none NOT EXISTS }", False),
    ("{ $.missing EXISTS }", False),
    ("{ $.missing != x }", False),
    ("{ $.yes IS TRUE }", True),
    ("{ $.no IS FALSE }", True),
    ("{ $.no IS TRUE }", False),
    ("{ $.count IS TRUE }", False),
    ("{ $.yes = 1 }", False),
    ("{ $.count = 42 }", True),
    ("{ $.count = 42.0 }", True),
    ("{ $.count != 42 }", False),
    ("{ $.count > 41.5 }", True),
    ("{ $.count <= 4.2e1 }", True),
    ("{ $.count < 42 }", False),
    ("{ $.ratio = 1.5e-3 }", True),
    ("{ $.ratio < .01 }", True),
    ("{ $.code = 42 }", True),
    ("{ $.code > 1 }", False),
    ("{ $.status = 4* }", True),
    ("{ $.status = 5* }", False),
    ("{ $.['cluster.name'] = c }", True),
    ('{ $["cluster.name"] = "c" }', True),
    ("{ $.a-b = dash }", True),
    (r'{ $.text = "say \"hi\" 100%" }', True),
    ("{ $.eventType = %Tr.il$% }", True),
    ("{ $.eventType != %^Trail% }", True),
    ("{ $.status = %^4\\d+$% }", True),
    ("{ $.count = 42 && $.yes IS TRUE }", True),
    ("{ $.count = 1 || $.yes IS TRUE }", True),
    ("{ $.count = 42 || $.count = 1 && $.yes IS FALSE }", True),
    ("{ ($.count = 42 || $.count = 1) && $.yes IS FALSE }", False),
    ("{ (($.count = 42)) }", True),
]


@pytest.mark.parametrize(("pattern", "expected"), JSON)
def test_json(pattern: str, expected: bool) -> None:
    assert parse_pattern(pattern)(EVENT) is expected


@pytest.mark.parametrize("message", ["", "text", "42", '"a"', '{"a": 1', "null", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_json_matches_no_json_pattern(message: str) -> None:
    assert not parse_pattern("{ $.a NOT EXISTS }")(message)


ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
COLUMNS = [
    ("[ip, id, user, timestamp, request, status_code, bytes]", True),
    ("[ip, id, user, timestamp, request, status_code]", False),
    ("[ip, id, user, timestamp, request, status_code, bytes, more]", False),
    ("[ip, ..., status = 4*, size > 100]", True),
    ("[ip, ..., status = 4*, size > 2000]", False),
    ("[..., request = *.html*, status = 4*, bytes]", True),
    ("[..., request = %html%, status = %^4%, bytes]", True),
    ("[ip = 127.0.0.1, ...]", True),
    ("[ip != 127.*, ...]", False),
    ("[...]", True),
    ("[a, b, c, d, e, f, g, ...]", True),
    ("[a, b, c, d, e, f, g, h, ...]", False),
    ("[..., request, status = 404, bytes >= 1534]", True),
    ("[..., status = 404.0, bytes]", True),
    ('[ip, id, user = "frank", ...]', True),
    ("[ip, id = Prod && id != Test, ...]", True),
    ("[ip, id = Dev || id = Prod, ...]", True),
    ("[ip, (id = Dev || id = Test), ...]", False),
    ("[ip, id, user, stamp = 10/Oct*0700, ...]", True),
    ("[ip > 1, ...]", False),
]


@pytest.mark.parametrize(("pattern", "expected"), COLUMNS)
def test_columns(pattern: str, expected: bool) -> None:
    assert parse_pattern(pattern)(ACCESS) is expected


@pytest.mark.parametrize(
    ("message", "columns"),
    [
        ("", []),
        ("  a\tb  ", ["a", "b"]),
        ('[a b] "c d" e', ["a b", "c d", "e"]),
        ('a[b c] d"e f"', ["a[b", "c]", 'd"e', 'f"']),
        ('[a "b', ["[a", '"b']),
        ('""[]x', ["", "", "x"]),
    ],
)
def test_columns_of_a_message(message: str, columns: list[str]) -> None:
    assert split_columns(message) == columns


WRONG = [
    ('"open', "a term, with its second quotation mark, expected at character 1"),
    ('a "open', "a term, with its second quotation mark, expected at character 3"),
    ('"a"b', "a blank expected at character 4"),
    ("%a(b)%", "the regular expression at character 1 holds '(', which is not supported in one"),
    ("x %a[%", "the regular expression at character 3 is not one: missing ]"),
    ("%a% %b% %c%", "no more than 2 regular expressions expected at character 9"),
    ("%\u00e9%", "the regular expression at character 1 holds 'é'"),
    ("{", "'$' and the name of a member expected at character 2"),
    ("{ a = 1 }", "'$' and the name of a member expected at character 3"),
    ("{ $ = 1 }", "the name of a member expected at character 5"),
    ("{ $. = 1 }", "the name of a member expected at character 6"),
    ("{ $.a }", "a comparison, IS, EXISTS or NOT EXISTS expected at character 7"),
    ("{ $.a = }", "a value expected at character 9"),
    ("{ $.a > x }", "a number expected at character 10"),
    ("{ $.a IS x }", "NULL, TRUE or FALSE expected at character 10"),
    ("{ $.a NOT NULL }", "EXISTS expected at character 15"),
    ("{ $.a[x] = 1 }", "an index, or a name in quotation marks, expected at character 7"),
    ("{ $.a[0 = 1 }", "']' expected at character 9"),
    ("{ $.a = 1", "'&&', '||' or '}' expected at character 10"),
    ("{ $.a = 1 } x", "the end of the pattern expected at character 13"),
    ("{ ($.a = 1 }", "')' expected at character 12"),
    ("{ " + "(" * 21 + "$.a = 1" + ")" * 21 + " }", "no more than 20 parentheses"),
    ("[a, b", "',' or ']' expected at character 6"),
    ("[a,, b]", "the name of a column expected at character 4"),
    ("[..., ...]", "no second '...' expected at character 10"),
    ("[a = 1 && b = 2]", "a condition on a expected at character 12"),
    ("[a = ]", "a value expected at character 6"),
    ("[a < x]", "a number expected at character 7"),
    ("[a] b", "the end of the pattern expected at character 5"),
]


@pytest.mark.parametrize(("pattern", "said"), WRONG, ids=[pattern[:20] for pattern, _ in WRONG])
def test_what_is_wrong_is_told_with_its_place(pattern: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_pattern(pattern)
    assert caught.value.message.startswith(f"Invalid filter pattern: {said}")


NOISE = "".join(random.Random(1).choices("ab", k=262_144))
SLOW = [
    ("%" + "a?" * 200 + "a" * 200 + "%", "a" * 262_144),
    ("%[ab]*a[ab]{500}[cd]%", NOISE),
    ("%a[ab]{900}[cd]%", NOISE),
    ("%" + "|".join(f"a[ab]{{{number}}}c" for number in range(100, 109)) + "%", NOISE),
    ("%x*x*x*x*x*y%", "x" * 262_144),
    ("{ $.a = " + "*a" * 400 + "b }", json.dumps({"a": "a" * 262_000})),
    ("[..., x = " + "*a" * 400 + "b]", "a" * 262_144),
    ("[..., x]", "[ " * 131_072),
    ("[..., x]", '" a' * 87_381),
    ("{ $.a = 1 }", "[" * 262_144),
]


@pytest.mark.parametrize(("pattern", "message"), SLOW)
def test_no_pattern_takes_long(pattern: str, message: str) -> None:
    """The longest message that there can be is judged in a moment, whatever was thought up against it."""
    matches = parse_pattern(pattern)
    began_at = time.thread_time()
    matches(message)
    assert time.thread_time() - began_at < 20


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("%" + "[ab]{1000}" * 90 + "%", "is not one"),
        ("%a{1001}%", "is not one"),
        ("%" + r"\w{1000}" * 3 + "%", "asks for too much"),
        ("%" + "|".join(f"a[ab]{{{number}}}c" for number in range(100, 190)) + "%", "asks for too much"),
    ],
)
def test_a_regular_expression_that_is_too_large_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=f"the regular expression at character 1 {said}"):
        parse_pattern(pattern)


pieces = st.sampled_from(
    [*"{}[]()$.,=<>!&|%*?-\"' \\", "&&", "||", "...", "$.a", "IS", "NOT", "EXISTS", "NULL", "1", "x", "!=", "[0]"]
)


@given(st.lists(pieces, max_size=25).map("".join), st.one_of(st.text(max_size=50), st.just(EVENT), st.just(ACCESS)))
def test_whatever_is_asked_is_answered_or_refused(pattern: str, message: str) -> None:
    try:
        matches = parse_pattern(pattern)
    except InvalidRequest as refused:
        assert refused.message.startswith("Invalid filter pattern: ")
        return
    assert matches(message) in (True, False)
