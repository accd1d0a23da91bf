"""What to do next, by the code of an error."""

from suanwang.errors import SuanwangError, Unauthenticated, Unreachable
from suanwang.i18n import _


def next_step(error: SuanwangError) -> str:
    """A sentence, or nothing where the error says it all."""
    steps = {
        "NO_PROFILE": _("Log in with `suanwang login`, or set SUANWANG_URL and SUANWANG_TOKEN."),
        "NO_POOL": _("See `suanwang centre list` for what there is, and `suanwang quote` for every centre's answer."),
        "INSUFFICIENT_VALUE": _("`suanwang account` shows what is free; the network's administrator tops it up."),
        "TASK_REFUSED": _("Mend the file and try again; `suanwang submit --check` reads it without a hub."),
        "UNKNOWN_CHIP": _("`suanwang centre list` shows the chips of all centres."),
        "NOT_ALLOWED": _("`suanwang whoami` shows who you are; choose another profile with --profile."),
        "JOB_ENDED": _("`suanwang job show` tells how it ended."),
        "DATABASE_UNREACHABLE": _("Look at the hub's own output."),
        "NO_DATABASE_SERVER": "",
        "NO_DATABASE": "",
        "DATABASE_LOGIN": "",
        "HUB_UNREACHABLE": _("Start it with `suanwang up`, or name another one with --profile or SUANWANG_URL."),
    }
    if error.code in steps:
        return steps[error.code]
    if isinstance(error, Unauthenticated):
        return _("Log in with `suanwang login`, or set SUANWANG_URL and SUANWANG_TOKEN.")
    return _("Try again in a moment.") if isinstance(error, Unreachable) else ""
