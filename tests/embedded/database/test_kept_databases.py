"""Data of DB instances that is kept from one embedded AWS to the next."""

from pathlib import Path

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from embedded_aws.data_plane.database.postgresql import find_programs
from tests.embedded.conftest import BACKEND
from tests.embedded.database.test_database import Database

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("with_postgresql")]


def test_an_instance_of_the_same_name_begins_with_what_was_kept(tmp_path: Path) -> None:
    data_plane = DataPlane(
        postgresql_folder=find_programs(None, near=[BACKEND]), databases_folder=tmp_path / "kept"
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        before = Database(aws, "kept").create()
        before.query("CREATE TABLE notes AS SELECT 'first' AS title")
        password = before.secret()["password"]
    with EmbeddedAws(data_plane=data_plane) as aws:
        after = Database(aws, "kept").create()
        assert after.query("SELECT title FROM notes") == "first"
        # The secret is another, and the server has its password.
        assert after.secret()["password"] != password
        after.query("UPDATE notes SET title = 'second'")
        other = Database(aws, "other").create()
        assert other.query("SELECT to_regclass('notes')") is None
    with EmbeddedAws(data_plane=data_plane) as aws:
        assert Database(aws, "kept").create().query("SELECT title FROM notes") == "second"
    # The rest of their names is the version of PostgreSQL that there is.
    assert sorted(path.name.rpartition("-")[0] for path in (tmp_path / "kept").iterdir()) == [
        "kept-postgres-notes-postgresql",
        "other-postgres-notes-postgresql",
    ]
