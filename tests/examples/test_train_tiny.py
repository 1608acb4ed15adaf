"""The tiny model learns, its gradients conform, and a gradient that is wrong by a thousandth does not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lemmata.loading import load_file

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_tiny.py"


@pytest.fixture
def example() -> ModuleType:
    return load_file(str(EXAMPLE), "example")


def test_the_loss_falls_and_the_gradients_conform(example: ModuleType) -> None:
    checks, losses = example.train(24, "cpu")
    assert len(checks) == 3
    assert all(share <= 1 and told >= example.LEAST_TOLD for share, told in checks)
    assert sum(losses[-5:]) < sum(losses[:5])


def test_a_wrong_gradient_is_beyond_its_bound(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forward = example.LanguageModel.forward

    def scaled(*arguments: Any) -> Any:
        loss, mean, logits = forward(*arguments)
        return loss, 1.001 * mean, logits

    monkeypatch.setattr(example.LanguageModel, "forward", scaled)
    checks, _ = example.train(1, "cpu")
    assert all(share > 1 for share, _ in checks)
    assert "gradient of w: " in capsys.readouterr().out
