"""Registries."""

import pkgutil
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError, create_model

from athanor.contract import Part
from models.parts.architecture import ARCHITECTURES
from models.parts.schedule import SCHEDULES
from models.registry import Registry

ROOT = Path(__file__).parents[2]


class Crucible(Part):
    """Melts.

    At length.
    """

    kind: Literal["crucible"] = "crucible"
    heat: int = Field(3, ge=0)


def _claim(module: str, kind: Any) -> type[Part]:
    return create_model("Claim", __base__=Part, __module__=module, kind=kind)


def test_a_kind_is_claimed_once() -> None:
    registry: Registry[Part] = Registry("schedules")
    registry.add(Crucible)
    registry.add(Crucible)
    with pytest.raises(TypeError, match=r"^elsewhere claims the kind 'crucible', which .*test_registry has$"):
        registry.add(_claim("elsewhere", (Literal["crucible"], "crucible")))


def test_a_part_needs_a_kind() -> None:
    registry: Registry[Part] = Registry("schedules")
    with pytest.raises(TypeError, match=r"elsewhere\.Claim needs a line like: kind"):
        registry.add(_claim("elsewhere", (str, ...)))


def test_a_registry_fills_itself_from_its_folder() -> None:
    files = sorted(path.stem for path in (ROOT / "models" / "parts" / "schedules").glob("[!_]*.py"))
    assert [part.model_fields["kind"].default for part in SCHEDULES] == files
    assert "cosine" in SCHEDULES and "sine" not in SCHEDULES
    assert SCHEDULES["step"].__module__ == "models.parts.schedules.step"
    with pytest.raises(KeyError):
        SCHEDULES["sine"]


def test_a_folder_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read, listed = [], pkgutil.iter_modules

    def counted(path: Any) -> Any:
        read.append(path)
        return listed(path)

    monkeypatch.setattr(pkgutil, "iter_modules", counted)
    registry: Registry[Part] = Registry("schedules")
    registry.add(Crucible)
    for _ in range(3):
        assert "crucible" in registry and registry["crucible"] is Crucible and list(registry) == [Crucible]
    assert len(read) == 1


def test_a_folder_with_a_broken_file_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Any) -> Any:
        raise ImportError("no such module")

    registry: Registry[Part] = Registry("schedules")
    registry.add(Crucible)
    with monkeypatch.context() as patched:
        patched.setattr(pkgutil, "iter_modules", broken)
        with pytest.raises(ImportError):
            list(registry)
        with pytest.raises(ImportError):
            list(registry)
    assert list(registry) == [Crucible]


def test_a_union_tells_parts_apart_by_kind() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(ARCHITECTURES.union())
    assert type(adapter.validate_python({"kind": "mlp"})) is ARCHITECTURES["mlp"]
    kinds = [part.model_fields["kind"].default for part in ARCHITECTURES]
    with pytest.raises(ValidationError, match="expected tags: " + ", ".join(map(repr, kinds))):
        adapter.validate_python({"kind": "perceptron"})
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python({"kind": "mlp", "hiden": [3]})
    assert refused.value.errors()[0]["loc"] == ("mlp", "hiden")
    schema = adapter.json_schema()
    assert set(schema["discriminator"]["mapping"]) == set(kinds)


def test_a_union_of_one_is_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[Part] = Registry("schedules")
    monkeypatch.setattr(registry, "_discover", lambda: None)
    registry.add(Crucible)
    assert TypeAdapter(registry.union()).validate_python({"kind": "crucible", "heat": 4}) == Crucible(heat=4)


def test_a_catalog_entry() -> None:
    registry: Registry[Part] = Registry("schedules")
    registry.add(Crucible)
    (entry,) = registry.catalog()
    assert (entry.kind, entry.summary, entry.description) == ("crucible", "Melts.", "Melts.\n\nAt length.")
    assert entry.schema_["properties"]["heat"]["minimum"] == 0  # type: ignore[index, call-overload]
