"""README's figures are those of benchmarks/results."""

from benchmarks import readme


def test_the_table_in_readme_is_what_was_measured() -> None:
    assert readme.block() == readme.table()
