"""docs/reference.md says what the schemas say, and every field has a description."""

import re

from api import reference
from api.routes import catalog
from models.parts.shelves import SHELVES


def test_the_page_is_what_the_schemas_say() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run `make reference` and commit docs/reference.md"


def test_every_field_and_every_part_is_on_the_page() -> None:
    page = reference.page()
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    spec = catalog.schema()
    for part in [spec, *spec["$defs"].values()]:
        assert set(part.get("properties", {})) - {"kind"} <= named
    for shelf, parts in catalog.read().shelves().items():
        section = page.split(f"\n## {shelf.capitalize()}\n")[1].split("\n## ")[0]
        assert re.findall(r"^### (\w+)$", section, re.MULTILINE) == [part.kind for part in parts]
    assert "| `dropout` | number ≥ 0, < 1 | `0.5` | probability that a pooled feature is zeroed in training |" in page


def test_null_is_shown_as_a_default_only_where_it_is_one() -> None:
    page = reference.page()
    defaults = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \| [^|]* \|$", page.split("## Fork")[0], re.MULTILINE))
    # What the recipe of an architecture fills in: see models/planning/resolve.py.
    for name in ("epochs", "batch_size", "optimizer", "schedule", "clip_norm"):
        assert defaults[name] == "the architecture's", name
    assert (defaults["loss"], defaults["task"], defaults["context"]) == ("–", "–", "–")
    assert (defaults["ema"], defaults["swa"], defaults["clip_value"]) == ("`null`",) * 3


def test_every_field_has_a_description() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", reference.page(), re.MULTILINE)
    assert [name for name, said in rows if not said] == []


def test_every_link_leads_to_a_heading() -> None:
    page = reference.page()
    headings = {line.lower().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= headings


def test_sentences_stand_for_shelves_that_there_are() -> None:
    assert set(reference.NAMED_BY) < set(SHELVES)
