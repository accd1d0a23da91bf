"""Organisations, the actors who act for them, and who may do what."""

from dataclasses import dataclass
from enum import StrEnum

from suanwang.errors import NotAllowed
from suanwang.units import BYTES_PER_GIB


class Role(StrEnum):
    TENANT_MEMBER = "tenant_member"
    TENANT_ADMIN = "tenant_admin"
    CENTRE_OPERATOR = "centre_operator"
    CENTRE_AGENT = "centre_agent"
    PROGRAMME_OFFICER = "programme_officer"
    AUDITOR = "auditor"
    NETWORK_ADMIN = "network_admin"


class OrganisationKind(StrEnum):
    TENANT = "tenant"
    CENTRE = "centre"
    AGENCY = "agency"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Organisation:
    """A legal person of the network. `facts` are what programme rules ask of an applicant (see `voucher.Applicant`)."""

    id: str
    name: str
    kind: OrganisationKind
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class Quotas:
    """What one tenant can have at once, so that none fills what all share."""

    live_jobs: int = 50_000
    blob_bytes: int = 20 * BYTES_PER_GIB


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is behind a call: a role held for an organisation; an agent acts for exactly one centre."""

    token_id: str
    organisation_id: str
    role: Role
    centre_id: str | None = None


TENANT_ROLES = frozenset({Role.TENANT_MEMBER, Role.TENANT_ADMIN})
OVERSIGHT_ROLES = frozenset({Role.AUDITOR, Role.NETWORK_ADMIN})
ALL_ROLES = frozenset(Role)

ORGANISATION_KIND_OF_ROLE = {
    Role.TENANT_MEMBER: OrganisationKind.TENANT,
    Role.TENANT_ADMIN: OrganisationKind.TENANT,
    Role.CENTRE_OPERATOR: OrganisationKind.CENTRE,
    Role.CENTRE_AGENT: OrganisationKind.CENTRE,
    Role.PROGRAMME_OFFICER: OrganisationKind.AGENCY,
    Role.AUDITOR: OrganisationKind.NETWORK,
    Role.NETWORK_ADMIN: OrganisationKind.NETWORK,
}
"""A token's role must fit the kind of its organisation."""


def may_see_tenant(actor: Actor, tenant_id: str) -> bool:
    """A tenant's jobs, bills and vouchers: its own people and the network's oversight."""
    return actor.role in OVERSIGHT_ROLES or (actor.role in TENANT_ROLES and actor.organisation_id == tenant_id)


def require_tenant(actor: Actor, tenant_id: str) -> None:
    """Raises NotAllowed unless `actor` acts for the tenant itself (oversight may look, not act)."""
    if not (actor.role in TENANT_ROLES and actor.organisation_id == tenant_id):
        raise NotAllowed("this belongs to another organisation", organisation=actor.organisation_id)


def require_centre(actor: Actor, centre_id: str) -> None:
    """Raises NotAllowed unless `actor` is the agent of that centre."""
    if actor.centre_id != centre_id:
        raise NotAllowed("this token speaks for another centre", centre=centre_id, token_centre=actor.centre_id)
