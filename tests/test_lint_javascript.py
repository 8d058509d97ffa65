"""Linting the JavaScript: which files, and what happens where npm is out of reach."""

import lint_javascript
import pytest
from _ext import registries


def test_every_script_of_the_site_is_linted():
    found = set(lint_javascript.scripts())
    assert "book/_ext/live/live-cells.js" in found
    assert "src/softmax_gradients/explorer/numbers.mjs" in found
    assert not [name for name in found if "node_modules" in name or "_build" in name]


@pytest.mark.parametrize(("on_ci", "status"), [("", 0), ("true", 1)])
def test_without_npm_nothing_is_linted_and_ci_fails(
    on_ci, status, monkeypatch, tmp_path, capsys
):
    def unreachable(target, source):
        raise registries.UnreachableError("the npm registry (no answer)")

    monkeypatch.setattr("_ext.kept.CACHE", tmp_path)
    monkeypatch.setattr(registries, "install", unreachable)
    monkeypatch.setenv("CI", on_ci)
    assert lint_javascript.main() == status
    printed = capsys.readouterr().out
    assert "not linted: the npm registry (no answer) cannot be reached" in printed
