"""A broken promise shows the values that broke it, as an assertion in a test's own file does."""

import pytest

pytest.register_assert_rewrite("tests.contracts.promises")
