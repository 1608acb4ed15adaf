"""What only a CUDA device can show is skipped where there is none; the interpreter is spared idle work."""

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="NOT RUN: needs CUDA"))


@pytest.fixture(autouse=True, scope="session")
def _language_patched_once_a_kernel() -> Iterator[None]:
    """Triton's interpreter patches `triton.language` for each kernel, and once more at each call of a function from it,
    which leaves it as it was and takes up to half of the time."""
    try:
        import triton.language as tl
        from triton.runtime import interpreter
    except ImportError:
        yield
        return
    patch = interpreter._patch_lang
    languages = {tl, tl.core}

    @cache
    def languages_of(fn: Any) -> list[ModuleType]:
        return [value for value in fn.__globals__.values() if isinstance(value, ModuleType) and value in languages]

    def once(fn: Any) -> Any:
        patched = all(language.static_print is print for language in languages_of(fn))
        return interpreter._LangPatchScope() if patched else patch(fn)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(interpreter, "_patch_lang", once)
        yield
