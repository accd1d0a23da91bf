"""`suanwang organisation`: who takes part in the network."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.screen import plain
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import word

organisation_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
MAX_FACTS_BYTES = 2**16
ADD_HELP = with_examples(
    _("Add a tenant, a centre's owner, or an agency that pays for vouchers."),
    'suanwang organisation add acme --name "Acme" --kind tenant --facts acme.yaml',
    after=_("A tenant's facts are what voucher rules ask of an applicant: registered_in, entity_type, size, …"),
)


@hub_command(organisation_app, "add", help=ADD_HELP)
async def add(
    session: Session,
    organisation: Annotated[str, typer.Argument(metavar="ID", help=_("Lower-case letters, digits and dashes."))],
    name: Annotated[str, typer.Option("--name", help=_("Name for people."))],
    kind: Annotated[Literal["tenant", "centre", "agency"], typer.Option("--kind", help=_("What it is."))],
    facts: Annotated[
        Path | None, typer.Option("--facts", exists=True, dir_okay=False, help=_("YAML file of its facts."))
    ] = None,
) -> None:
    from suanwang.boundedyaml import load_yaml
    from suanwang.centrefile import mapping
    from suanwang.cli.request import text_of
    from suanwang.domain.tenant import OrganisationKind
    from suanwang.wire import NewOrganisation

    stated = mapping("facts", load_yaml(text_of(facts), max_bytes=MAX_FACTS_BYTES)) if facts else {}
    new = NewOrganisation(id=organisation, name=name, kind=OrganisationKind(kind), facts=dict(stated))
    await session.hub.add_organisation(new)
    text = _("added {organisation} ({kind}); give it a token with `suanwang token issue`")
    session.screen.show(new, lambda: plain(text.format(organisation=organisation, kind=word(kind))))
