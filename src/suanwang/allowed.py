"""What is allowed instead, as the errors of a wrong input say it in English: so that it can be said in Chinese too.

The sentences come over the wire filled in, from whoever checked the input. A sentence is known again by its own words,
and what stands at its placeholders is put into the translation. One that is not known is shown as it came.
"""

import re
from functools import cache

from suanwang.i18n import ENGLISH, _, language
from suanwang.sentences import mark

ALLOWED = (
    mark("a whole number"),
    mark("0 or more yuan"),
    mark("a month like 2026-11"),
    mark("the id of a tenant"),
    mark("{least} to {most}"),
    mark("1 to {most} seconds"),
    mark("0 to {most} seconds"),
    mark("the agency whose list it is"),
    mark("lists that programmes of {agency} name: {names}"),
    mark("one that was charged: {names}"),
    mark("1 to {most} fen: what is charged and not given back"),
    mark("{least} to {most} fen: what the voucher has paid and is not asked for"),
    mark("1 to {most} fen: what is owed for the voucher"),
    mark('true or false, in quotes: "true"'),
    mark("1 to {most} printable characters"),
    mark("at most {most} printable characters"),
    mark("names of 1 to {most} printable characters"),
    mark("1 to {most} printable characters, like training"),
    mark("1 to {most} characters"),
    mark("at most {most}"),
    mark("at most {most}; put more in the workdir"),
    mark("1 to {most} variants"),
    mark("1 to {most} jobs in one call"),
    mark("at most {most} jobs in one call"),
    mark("at most {most} codes from 0 to 255"),
    mark("at most {variables} variables and {characters} characters"),
    mark("at most {labels} labels of {characters} characters"),
    mark("the command to run; a job without one does nothing"),
    mark("text without NUL characters"),
    mark("names of letters, digits and underscores"),
    mark("a name and a text without line breaks or control characters"),
    mark("the id of a booking"),
    mark("one of {names}"),
    mark("one of {names}; did you mean {meant}?"),
    mark("known here: {names}"),
    mark("known here: {names}; did you mean {meant}?"),
    mark("known are {names}"),
    mark("did you mean {meant}?"),
    mark("`suanwang centre list` shows what centres offer"),
    mark("exactly one of the two"),
    mark("one of the two"),
    mark("the types of a job spec"),
    mark("the types of the programme model"),
    mark("a header of 1 to {most} characters, new for every new request"),
    mark("a folder that was uploaded: pack it, PUT it to /v1/blobs and send its SHA-256 as workdir_sha256"),
    mark("an id, a number or a name"),
    mark("an id of the chip catalogue, like a100-sxm-80g"),
    mark("a pool has at least one node"),
    mark("at most {most} nodes in one pool"),
    mark("node names are unique within a pool"),
    mark("more than 0, at most {most} GiB"),
    mark("more than 0 seconds"),
    mark("at most {most} tenants"),
    mark("0 or more fen"),
    mark("1 fen or more"),
    mark("0 or more fen, at most what other jobs pay"),
    mark("a time zone like Asia/Shanghai"),
    mark("at most {most} rates"),
    mark("days from mon to sun"),
    mark("days from mon to sun, like mon-fri or [sat, sun]"),
    mark("every day once"),
    mark("a list of at most {most} products"),
    mark("at most {most} products"),
    mark("every product has an id of its own"),
    mark("{instant}, when it was ordered, or later"),
    mark("after its begin, and not in the future"),
    mark("the id of the centre: this token speaks for none"),
    mark("times from 00:00 to 24:00"),
    mark('a time of the day from "00:00" to "24:00"'),
    mark("a time that {place} ({times}) does not have"),
    mark("a list of days, from, until and a price"),
    mark("more than 0 and less than 10^15 fen"),
    mark("0 to the assessed {most} fen"),
    mark("degrees on this planet"),
    mark("a centre offers at least one pool"),
    mark("1 to 63 lower-case letters, digits and dashes"),
    mark("for a {kind} organisation: {roles}"),
    mark("a tenant's organisation"),
    mark("organisations that are tenants"),
    mark("an agent's token names the centre that it speaks for"),
    mark("a centre of {organisation}"),
    mark("this hub speaks version {version}; upgrade the older side"),
    mark("at most {most} in one sync; send the rest next"),
    mark("0 or more, below {most}"),
    mark("at least one byte"),
    mark("after now ({now})"),
    mark("at most the {nodes} nodes of {pool}"),
    mark("nodes of {pool}"),
    mark("an end after the start, both 0 to {most}"),
    mark("at least one tenant who may use it"),
    mark("1 or more, or none given for all nodes"),
    mark("1 to {most} days"),
    mark("1 to {most} parts"),
    mark("a date like 2025-03-31"),
    mark("values that can be stored: text without NUL, 64-bit integers"),
    mark("a whole number from {least} to {most}"),
    mark("letters, digits, dots, hyphens and underscores, at most {most}"),
    mark("plain values, lists and mappings; no tags"),
    mark("plain values; no tags"),
    mark("at most {most} bytes"),
    mark("at most {most} levels"),
    mark("at most {most} nodes, aliases expanded"),
    mark("numbers of at most {most} characters"),
    mark("a finite number"),
    mark("text that UTF-8 can carry"),
    mark("text in UTF-8: this is a binary file or UTF-16"),
    mark("printable text in YAML"),
    mark("keys that are plain values"),
    mark("every key once"),
    mark("a value of its tag {tag}"),
    mark("the organisation that runs the centre, here or at the call"),
    mark("the name of a driver, like local or slurm"),
    mark("a list of one or more pools"),
    mark("every pool has an id of its own"),
    mark("a list of at most {most} ids of organisations"),
    mark('the longest time of one attempt, like "24h"'),
    mark("degrees from -{least} to {most}"),
    mark("a list of nodes, or count, prefix, chips and cpus"),
    mark("a text of 1 to {most} characters on one line"),
    mark("true or false"),
    mark("a mapping"),
    mark("a mapping: key: value, one on each line"),
    mark("a mapping like `run: COMMAND`, one key on each line"),
    mark("a mapping NAME: value"),
    mark("a mapping of texts"),
    mark("a task: at least `run: COMMAND`"),
    mark("a text"),
    mark("a text; put it in quotes"),
    mark("one line of at most {most} characters"),
    mark("one text or number"),
    mark("a text of letters, digits and underscores, at most {most} characters"),
    mark("1 to {most} choices; without accelerators leave it out"),
    mark("the count once: {{A100: 8}} or {{A100:8}}"),
    mark("a whole number of chips per node"),
    mark("NAME or NAME:COUNT, like H100:8"),
    mark("the name of one model of chip, like H100 or Ascend-910B3"),
    mark("leave accelerators out and give cpus: the job then runs on CPU cores"),
    mark("whole chips: sharing of one chip is not offered yet"),
    mark("1 to {most} chips per node"),
    mark('cores per node, up to {most}: like 4 or "4+"'),
    mark('memory per node in GiB: like 32, "32+" or "512MB"'),
    mark('GiB or a unit: like 256 or "1TB"'),
    mark("a container image as docker:NAME; machine images of clouds do not exist here"),
    mark("an image name without spaces and variables, at most {most} characters"),
    mark("more than 0 yuan per hour, with at most two decimals"),
    mark("the id of a booking: 1 to 63 lower-case letters, digits and dashes"),
    mark("the id of a voucher, or none; at most {most} characters without spaces"),
    mark("the name of a project: 1 to 63 lower-case letters, digits and dashes"),
    mark("a hard stop needs a budget"),
    mark("at most {most} different percentages"),
    mark("1 to {most} percent of the budget"),
    mark("the id of a centre: letters, digits, dots, dashes; at most {most}"),
    mark("0 or more restarts"),
    mark("a repository as https://…, ssh://… or git@host:path"),
    mark("a URL without user and password: the hub keeps no secrets"),
    mark("a branch, tag or commit as text; put digits in quotes"),
    mark('a chip like "H100:8", a list or a set of them'),
    mark("exit codes from 0 to 255, one or a list"),
    mark("a list of 1 to {most} entries"),
    mark("one of the two: gpus is the alias"),
    mark("{place}, as infra says, or one of the two"),
    mark("infra alone, or cloud, region and zone"),
    mark("priority or priority_class, not both"),
    mark("suanwang/<centre> for one centre, or leave it out"),
    mark("suanwang/<centre> for one centre, or leave it out; did you mean {meant}?"),
    mark("another name: the network itself sets this variable"),
    mark("one {{uri: GB}}"),
    mark("one {{uri: GB}}, with 0 or more gigabytes"),
    mark("nothing: file mounts are not offered"),
    mark("a value given at submit: {name}=…"),
    mark("either the repository or an uploaded archive, not both"),
    mark("the SHA-256 of the uploaded archive: 64 hexadecimal digits"),
    mark("it must be longer than zero and end before the sun does"),
    mark("use yuan with at most two decimals, like 1200 or 0.05"),
    mark('use GiB or a unit of KB, MB, GB, TB, PB, like 64 or "512MB"'),
    mark('use seconds or units of d, h, m, s, like "8h" or "1h30m"'),
    mark("one line of ASCII characters, as it was issued"),
    mark("an address like http://127.0.0.1:7700 or https://hub.example.org"),
    mark("YAML: {said}"),
)


def say_allowed(text: str) -> str:
    """In the language spoken."""
    if language() == ENGLISH:
        return text
    for template, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return _(template).format(**found.groupdict())
    return text


def is_known(text: str) -> bool:
    return any(pattern.fullmatch(text) for _template, pattern in _patterns())


NUMBER = r"[\d,.]+"


@cache
def _patterns() -> tuple[tuple[str, "re.Pattern[str]"], ...]:
    """Those with most words of their own first."""
    found = [(template, re.compile(_pattern(template), re.DOTALL)) for template in ALLOWED]
    return tuple(sorted(found, key=lambda one: -len(re.sub(r"\{\w+\}", "", one[0]))))


def _pattern(template: str) -> str:
    parts = re.split(r"(?<!\{)\{(\w+)\}(?!\})", template)
    texts = [re.escape(part.replace("{{", "{").replace("}}", "}")) for part in parts[::2]]
    names = [f"(?P<{name}>{NUMBER if name in ('least', 'most') else '.+?'})" for name in parts[1::2]]
    return "".join(text + name for text, name in zip(texts, [*names, ""], strict=True))
