"""How documents are read."""

from pathlib import Path

from documentation.blocks import anchors, blocks_of, code_spans, commands, links, programs

TEXT = """# A heading, with `code` & signs

See [this](other.md#there) and `script/serve`.

1. A step:
   ```sh
   one "a
   b" \\
     --more    # a remark
   cat > x << 'END'
   two | three
   END
   ```

```console
$ AGENT=1 chat
Hello
  [saved: a]
< Good morning

  Bye
```

# A heading, with `code` & signs
"""


def test_blocks_have_their_place_and_lose_their_indent(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(TEXT)
    first, second = blocks_of(document, tmp_path)
    assert (first.place, first.language) == ("a.md:7", "sh")
    assert first.text.startswith('one "a\nb"')
    assert first.dialogue is None
    dialogue = second.dialogue
    assert dialogue is not None
    assert (dialogue.command, dialogue.typed) == ("AGENT=1 chat", "Hello\n")
    assert dialogue.answered == ["  [saved: a]", "< Good morning", "  Bye"]


def test_commands_stay_whole_and_lose_their_remarks() -> None:
    text = "# before\none 'a # b' \\\n  --more # a remark\ncat > x << 'END'\n# in it\nEND\n\nthree"
    assert commands(text) == ["one 'a # b' \\\n  --more", "cat > x << 'END'\n# in it\nEND", "three"]


def test_every_program_of_a_command_is_found() -> None:
    assert programs("A=1 B=x one --two | three && four 'five; six' > seven") == [
        *("one", "three", "four")
    ]
    assert programs('curl -H "Bearer $(cat var/key)" http://x') == ["curl", "cat"]
    assert programs("cat > x << 'END'\nnobody's program | here\nEND") == ["cat"]
    assert programs("NAME=value") == []


def test_links_anchors_and_code_are_those_outside_of_blocks() -> None:
    assert links(TEXT) == ["other.md#there"]
    assert anchors(TEXT) == {"a-heading-with-code--signs", "a-heading-with-code--signs-1"}
    assert list(code_spans("`a/b.py` and\n```sh\n`no`\n```\n")) == ["a/b.py"]
