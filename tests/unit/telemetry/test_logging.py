"""The server's log: one line for each call, ours and libraries' alike."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from longshore.telemetry.logging import configure_logging


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_the_event_and_its_fields() -> None:
    stream = io.StringIO()
    configure_logging(format="json", stream=stream)
    structlog.get_logger("longshore.control").info("job_started", job_id="j-1", text="two\nlines \x1b[31m")
    [line] = lines(stream)
    assert line["event"] == "job_started"
    assert line["job_id"] == "j-1"
    assert line["text"] == "two\nlines \x1b[31m"
    assert line["level"] == "info"
    assert line["logger"] == "longshore.control"
    assert str(line["timestamp"]).endswith("Z")


def test_what_libraries_log_joins_in_the_same_form() -> None:
    stream = io.StringIO()
    configure_logging(format="json", stream=stream)
    logging.getLogger("some.library").warning("hello %s", "there", extra={"attempt_id": "a-1"})
    logging.getLogger("botocore.endpoint").info("chatter")
    [line] = lines(stream)
    assert (line["event"], line["attempt_id"], line["level"]) == ("hello there", "a-1", "warning")


def test_lines_below_the_level_are_not_written_and_the_last_set_up_holds() -> None:
    first, second = io.StringIO(), io.StringIO()
    log = structlog.get_logger("longshore")
    configure_logging(format="json", stream=first)
    log.debug("detail")
    configure_logging(format="json", level="DEBUG", stream=second)
    log.debug("detail")
    assert lines(first) == []
    assert [line["event"] for line in lines(second)] == ["detail"]


def test_console_lines_print_no_escape_of_a_value_and_no_local_variables() -> None:
    """A value cannot colour the operator's terminal, and a traceback cannot show a job's environment."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    log = structlog.get_logger("longshore")
    log.info("job_started", name="a\nb\x1b[31m")
    secret_value = "hunter2-" + "x" * 3

    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert "\x1b" not in text
    assert r"name='a\nb\x1b[31m'" in text
    assert "ValueError: bad" in text
    assert secret_value not in text


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure_logging(level="LOUD")
