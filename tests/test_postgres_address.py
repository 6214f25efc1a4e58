"""Addresses of studies in PostgreSQL: what is in them, what is refused, and that no secret is repeated."""

from __future__ import annotations

import pytest

from hoptim.errors import ArgumentError
from hoptim.store.postgres.address import Address


def test_the_study_is_taken_out_and_the_rest_passes_through():
    """The driver gets hosts and settings as they were given, and never the name of the study."""
    url = "postgresql://u@one:5432,two:5433/db?sslmode=require&study=a%20b&target_session_attrs=any"
    found = Address.of(url)
    assert found.server == "postgresql://u@one:5432,two:5433/db?sslmode=require&target_session_attrs=any"
    assert (found.study, found.url) == ("a b", url)
    assert found.settings == {"sslmode", "target_session_attrs"}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgres://h/db?study=x", "postgres://h/db"),
        ("postgresql:///db?host=/var/run/pg&study=x", "postgresql:///db?host=/var/run/pg"),
        ("postgresql://u%40x@[::1]:5432/db?study=x", "postgresql://u%40x@[::1]:5432/db"),
        ("postgresql://?study=x", "postgresql:///"),
    ],
)
def test_forms_of_a_url(url, server):
    """A short scheme, a socket, an IPv6 host and next to nothing are addresses, too."""
    assert (Address.of(url).server, Address.of(url).study) == (server, "x")


def test_a_key_is_the_same_for_the_same_study():
    """User and settings of a connection tell no studies apart; host, database and name do."""
    key = Address.of("postgresql://u@h/db?study=x").key
    assert Address.of("postgres://h/db?sslmode=require&study=%78").key == key
    for other in ("postgresql://i/db?study=x", "postgresql://h/da?study=x", "postgresql://h/db?study=y"):
        assert Address.of(other).key != key


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@h/db?study=x",
        "postgresql://u:@h/db?study=x",
        "postgresql://u:hun@ter2@h/db?study=x",
        "postgresql://u@h/db?study=x&password=hunter2",
        "postgresql://u@h/db?p%61ssword=hunter2&study=x",
        "postgresql://u@h/db?study=x&sslpassword=hunter2",
    ],
)
def test_a_password_is_refused_and_not_repeated(url):
    """It would be logged with the address; where it belongs is said."""
    with pytest.raises(
        ArgumentError, match=r"PGPASSWORD, or PGPASSFILE, or write it into ~/\.pgpass"
    ) as caught:
        Address.of(url)
    assert "hunter2" not in str(caught.value)
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2/db?study=x",
        "postgresql://u:1/hunter2@h/db?study=x",
        "postgresql://u:1?hunter2@h/db?study=x",
        "postgresql://u:1@hunter2@h/db?study=x",
        "postgresql://h:hunter2,i/db?study=x",
        "postgresql://h/hunter2%2?study=x",
        "postgresql://h/hunter2%ff?study=x",
        "mysql://h/hunter2?study=x",
        "postgresql://h/hunter2\n?study=x",
        "hunter2",
    ],
)
def test_what_does_not_fit_is_not_repeated(url):
    """A password whose @ or / was not escaped lands elsewhere in the address, so nothing of it is shown."""
    with pytest.raises(ArgumentError) as caught:
        Address.of(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("", "names none"),
        ("?sslmode=require", "names none"),
        ("?study=a&study=b", "names several"),
        ("?study=", "1 to 200"),
        ("?study", "1 to 200"),
        ("?study=%0a", "1 to 200"),
        ("?study=" + "x" * 201, "1 to 200"),
    ],
)
def test_an_address_names_one_study(query, what):
    """Without a name, or with one that cannot be printed, nothing is opened."""
    with pytest.raises(ArgumentError, match=what):
        Address.of(f"postgresql://h/db{query}")


def test_the_longest_name_is_taken():
    """Names may be long, and of any script."""
    assert Address.of("postgresql://h/db?study=" + "%C3%A9" * 200).study == "é" * 200


def test_strange_hosts_are_refused_at_once():
    """A long host that does not fit takes no time that grows with its length."""
    with pytest.raises(ArgumentError):
        Address.of("postgresql://" + "a" * 50_000 + ":x/db?study=x")
