"""Filter patterns of FilterLogEvents: what is asked of each message.

A pattern of terms asks what a message holds; one in braces, what its JSON says; one in brackets, what stands in its
columns. Source: Amazon CloudWatch Logs User Guide, filter pattern syntax. Whatever a caller writes, a message is judged
in time that grows with its length alone.
"""

from longshore.logs.patterns.columns import parse_columns
from longshore.logs.patterns.json_events import parse_json_pattern
from longshore.logs.patterns.scanner import Matches, Scanner
from longshore.logs.patterns.terms import parse_terms

__all__ = ["parse_pattern"]


def parse_pattern(text: str) -> Matches:
    """A test for messages. Raises InvalidRequest, which says where the pattern is wrong."""
    scanner = Scanner(text)
    if scanner.take("{"):
        return parse_json_pattern(scanner)
    if scanner.take("["):
        return parse_columns(scanner)
    return parse_terms(scanner)
