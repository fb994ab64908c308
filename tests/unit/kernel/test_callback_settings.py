"""The settings of callbacks: off unless both halves are there, and https unless in a lab on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import Callbacks, load_settings

SHIPPED = Path(__file__).parents[3] / "config" / "hub.yaml"
LISTEN, URL = "  listen: 127.0.0.1:9470\n", "  public_url: https://hub.example.com/hooks\n"


def load(folder: Path, callbacks: str, profile: str = "production") -> Callbacks:
    (folder / "config").mkdir()
    text = SHIPPED.read_text(encoding="utf-8").replace("profile: production", f"profile: {profile}")
    (folder / "config" / "hub.yaml").write_text(text + callbacks, encoding="utf-8")
    return load_settings(folder).callbacks


def test_callbacks_are_off_as_shipped(tmp_path: Path) -> None:
    assert load(tmp_path, "").base is None


def test_the_shipped_example_holds(tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    block = text[text.index("# callbacks:") :].partition("\n\n")[0]
    example = block.replace("# ", "", 1).replace("\n# ", "\n").replace("\n#", "\n")
    assert load(tmp_path, example).base == "https://hub.example.com/hooks"


def test_a_slash_at_the_end_does_not_matter(tmp_path: Path) -> None:
    assert load(tmp_path, f"callbacks:\n{LISTEN}{URL.replace('/hooks', '/hooks/')}").base == (
        "https://hub.example.com/hooks"
    )


@pytest.mark.parametrize(
    ("callbacks", "named"),
    [
        (LISTEN, "callbacks.public_url"),
        (URL, "callbacks.listen"),
        (LISTEN + "  public_url: http://hub.example.com/hooks\n", "not https"),
        (LISTEN + "  public_url: http://127.0.0.1:9470/hooks\n", "not https"),
        (LISTEN + "  public_url: ftp://hub.example.com\n", "public_url"),
        (LISTEN + "  public_url: https://user:word@hub.example.com\n", "public_url"),
        (LISTEN + "  public_url: https://hub.example.com/hooks?a=1\n", "public_url"),
        (LISTEN + f"  public_url: https://hub.example.com/{'x' * 180}\n", "public_url"),
        ("  listen: everywhere\n" + URL, "callbacks.listen"),
        (LISTEN + URL + "  pause_seconds: 0.0\n", "pause_seconds"),
        (LISTEN + URL + "  token: x\n", "callbacks.token"),
    ],
)
def test_what_cannot_work_is_named_with_its_line(tmp_path: Path, callbacks: str, named: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load(tmp_path, f"callbacks:\n{callbacks}")
    (problem,) = refused.value.problems
    assert named in problem.en
    assert problem.zh
    assert problem.line is not None
    assert "word" not in str(refused.value)


def test_a_lab_may_be_called_on_this_machine_without_tls(tmp_path: Path) -> None:
    here = LISTEN + "  public_url: http://127.0.0.1:9470/hooks\n"
    assert load(tmp_path, f"callbacks:\n{here}", "lab").base == "http://127.0.0.1:9470/hooks"


def test_a_lab_may_not_be_called_from_elsewhere_without_tls(tmp_path: Path) -> None:
    there = LISTEN + "  public_url: http://hub.example.com/hooks\n"
    with pytest.raises(ConfigInvalid, match="not https"):
        load(tmp_path, f"callbacks:\n{there}", "lab")
