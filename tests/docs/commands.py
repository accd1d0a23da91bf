"""Reads `suanwang` command lines as the real command line does, without running them."""

import re
import shlex
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from typer.main import get_command

from suanwang.cli.main import make_app

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(suanwang(?: [^`\n]*)?)`")
HERE_DOCUMENT = re.compile(r"<<-?\s*'?(\w+)'?\n.*?^\1$", re.MULTILINE | re.DOTALL)
FILES = frozenset({".yaml", ".parquet", ".jsonl", ".token", ".txt", ".json"})
VARIABLES = {"$SUANWANG_PORT": "7700", "$FROM": "2026-12-01T08:00", "$UNTIL": "2026-12-01T09:00"}
ENDS = frozenset({"|", "||", "&", "&&", ";", "(", ")", "<", ">", ">>", "2>", "&>"})


def in_fences(text: str) -> list[str]:
    """What stands in shell blocks and in units of systemd; comments and redirections are left out."""
    found = []
    for language, block in FENCE.findall(text):
        if language == "bash":
            found += [command for line in _lines(block) for command in _commands(line)]
        elif language == "ini":
            found += [line.partition("=")[2] for line in block.splitlines() if line.startswith("ExecStart=")]
    return found


def in_sentences(text: str) -> list[str]:
    """What is named in a sentence, perhaps without its arguments."""
    return INLINE.findall(FENCE.sub("", text))


def _lines(block: str) -> list[str]:
    return HERE_DOCUMENT.sub("", block).replace("\\\n", " ").splitlines()


def _commands(line: str) -> list[str]:
    """The simple commands of a line that are ours."""
    words = shlex.shlex(line.replace("$(", " ( "), posix=True, punctuation_chars="();<>|&")
    words.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in words:
        if word in ENDS:
            found.append([])
        else:
            found[-1].append(word)
    return [shlex.join(words) for words in found if any(word.endswith("suanwang") for word in words[:1])]


def problem_of(command: str, *, whole: bool) -> str | None:
    """Why the command line would be refused, or None. `whole`: with everything that it needs."""
    words = [VARIABLES.get(word, word) for word in shlex.split(command, comments=True)[1:] if word != "…"]
    with TemporaryDirectory() as folder, chdir(folder):
        try:
            _parse(get_command(make_app()), "suanwang", [_at_hand(word) for word in words], None)
        except Exception as error:  # typer's own, whose home differs from release to release
            if not hasattr(error, "format_message"):
                raise
            missing = type(error).__name__ in ("MissingParameter", "NoArgsIsHelpError")
            return None if missing and not whole else str(error.format_message())
    return None


def _at_hand(word: str) -> str:
    """An example's file, which is nowhere else."""
    if word == "DIR":
        Path(word).mkdir(exist_ok=True)
    if word != "FILE" and Path(word).suffix not in FILES:
        return word
    Path(Path(word).name).touch()
    return Path(word).name


def _parse(command: Any, name: str, words: list[str], parent: Any) -> None:
    """Every level reads its own words; no command is invoked."""
    if "--help" in words or (not words and hasattr(command, "commands")):
        return
    context = command.make_context(name, words, parent=parent)
    rest = [*getattr(context, "_protected_args", ()), *context.args]
    if rest and hasattr(command, "commands"):
        _parse(*_named(command, context, rest), context)


def _named(group: Any, context: Any, words: list[str]) -> tuple[Any, str, list[str]]:
    name, command, rest = group.resolve_command(context, words)
    return command, name, rest
