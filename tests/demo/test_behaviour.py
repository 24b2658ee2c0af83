import hashlib

from clef.demo import behaviour

DIGESTS = {2: "044200bb7988a0b0"}
"""Digest of the tables by version, so that nobody changes them and forgets to raise the version."""


def test_the_tables_are_those_of_the_version():
    tables = (behaviour.ACTIVITIES, behaviour.RATES, behaviour.CO_OCCURRENCE)
    tables += (behaviour.EXPRESSIONS, behaviour.EXPRESSION_SHARES)
    assert hashlib.sha256(repr(tables).encode()).hexdigest()[:16] == DIGESTS[behaviour.VERSION]
