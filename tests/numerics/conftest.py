"""A folder of real digits, written once."""

import pytest

from tests.toys import write_digits


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"))
