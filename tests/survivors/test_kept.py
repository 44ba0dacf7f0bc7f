"""How survivors are known again, and who has explained them."""

from pathlib import Path

import pytest

from survivors.kept import Change, Module, change_of, function_of, judge, mutants_of, names, read

ROOT = Path(__file__).resolve().parents[2]
DIFF = """--- src/voiceagent/call/keys.py
+++ src/voiceagent/call/keys.py
@@ -1,4 +1,4 @@
 def pressed(self, key: str) -> None:
     if key:
-        self._keys.append(
-            key)
+        self._keys.append(None)
     return"""
KEPT = """
tests = ["tests/call/test_keys.py"]

[[left_out]]
lines = 'raise Wrong\\('
why = "Words for people."

[[survivor]]
function = "Keys.pressed"
before = '''
  one
    two
'''
after = ["three", "four"]
why = "Both are the same."
"""
PRESSED = "voiceagent.call.keys.xǁKeysǁpressed__mutmut_12"


def kept(folder: Path, text: str) -> Path:
    (folder / "call").mkdir()
    (folder / "call" / "keys.toml").write_text(text)
    return folder


def test_a_change_is_known_by_its_function_and_its_lines_alone() -> None:
    change = change_of(PRESSED, DIFF)
    assert change == Change("Keys.pressed", "self._keys.append(\nkey)", "self._keys.append(None)")
    moved = DIFF.replace("@@ -1,4 +1,4 @@", "@@ -91,4 +91,4 @@").replace("    if", "        if")
    assert change_of(PRESSED.replace("12", "3"), moved) == change


def test_a_change_may_only_take_away() -> None:
    assert change_of(PRESSED, "@@ -1 +0,0 @@\n-    case 1:\n-        a()").after == ""


def test_functions_and_their_mutants_find_each_other() -> None:
    assert function_of("voiceagent.call.echo.x__of__mutmut_1") == "_of"
    assert function_of(PRESSED) == "Keys.pressed"
    assert mutants_of("call/keys.py", "Keys.pressed") == PRESSED.replace("12", "*")
    assert mutants_of("call/completeness/__init__.py", "_of") == (
        "voiceagent.call.completeness.x__of__mutmut_*"
    )
    with pytest.raises(ValueError, match="no mutant"):
        function_of("voiceagent.call.keys.Keys.pressed")


def test_a_file_tells_tests_lines_and_reasons(tmp_path: Path) -> None:
    folder = kept(tmp_path, KEPT)
    module = read("call/keys.py", folder)
    assert names(folder) == ["call/keys.py"]
    assert (module.tests, module.left_out) == (("tests/call/test_keys.py",), (r"raise Wrong\(",))
    assert module.explained == {
        Change("Keys.pressed", "one\ntwo", after): "Both are the same."
        for after in ("three", "four")
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KEPT.replace('"Both are the same."', '" "'), "no reason"),
        (KEPT.replace('"Words for people."', '""'), "no reason"),
        (KEPT.replace('function = "Keys.pressed"\n', ""), "'function' is missing"),
        (KEPT.replace('"four"', '"three"'), "twice"),
        (KEPT.replace("tests =", "test ="), "'tests' is missing"),
    ],
)
def test_a_file_that_explains_nothing_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read("call/keys.py", kept(tmp_path, text))
    with pytest.raises(ValueError, match="there is no"):
        read("call/locks.py", tmp_path)


def test_who_survived_is_compared_with_who_may() -> None:
    one, two, three = (Change("f", "a", after) for after in "bcd")
    module = Module("call/keys.py", (), (), {one: "…", two: "…"})
    judged = judge(module, [one, three, one], frozenset())
    assert (judged.unexplained, judged.explained, judged.gone) == ((three,), 2, (two,))
    assert judge(module, [one], frozenset({"f"})).gone == (two,)
    assert judge(module, [], frozenset({"g"})).gone == ()


@pytest.mark.parametrize("name", names())
def test_what_is_kept_is_of_a_module_and_of_tests_that_there_are(name: str) -> None:
    module = read(name)
    source = (ROOT / "src/voiceagent" / name).read_text(encoding="utf-8")
    lines = "\n".join(line.strip() for line in source.splitlines())
    for test in module.tests:
        path = test.removeprefix("--deselect=").partition("::")[0]
        assert (ROOT / path).exists(), test
    for change in module.explained:
        assert f"def {change.function.rpartition('.')[2]}(" in source, change
        assert change.before in lines, change
