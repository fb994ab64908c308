"""The settings of the REST API and of who may sign in: the section `web` of `config/hub.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hub.kernel.settings_forms import Address, Name, PublicUrl, Reference, Section, said
from hub.kernel.settings_transport import Transport


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise said("is no network such as 10.1.0.0/16", "不是网段，如 10.1.0.0/16") from None


Network = Annotated[str, AfterValidator(_network)]
Branch = Annotated[str, Field(pattern=r"^/([A-Za-z0-9_-]{1,20}/){0,9}$")]


class GroupRole(Section):
    """Is what members of one group at the identity provider may be, and in which branch."""

    role: Name
    branch: Branch = "/"


class Oidc(Section):
    """Says which identity provider may vouch for people; people are known by its issuer and their subject there.

    `second_factor` provider trusts what it says in `amr` about a second factor; here asks for a one-time code as well.
    """

    issuer: PublicUrl
    client_id: str = Field(min_length=1, max_length=255)
    client_secret: Reference | None = Field(default=None, repr=False)
    http: Transport = Transport()
    groups_claim: str = Field(default="groups", min_length=1, max_length=64)
    groups: Mapping[str, GroupRole] = Field(default_factory=dict)
    second_factor: Literal["here", "provider"] = "here"


class Web(Section):
    """Says where the REST API is served; without `listen` it is not. Times in minutes and hours as named.

    `certificate` is a PEM file with chain and key; without it a proxy on this machine ends TLS.
    """

    listen: Address | None = None
    public_url: PublicUrl | None = None
    certificate: str | None = None
    trusted_proxies: tuple[Network, ...] = Field(default=(), strict=False)
    passwords: Literal["mlps", "asvs"] = "mlps"
    idle_minutes: float = Field(default=15.0, ge=1, le=15)
    session_hours: float = Field(default=8.0, gt=0, le=8)
    sessions: int = Field(default=2, ge=1, le=2)
    token_days: int = Field(default=90, ge=1, le=90)
    oidc: Oidc | None = None

    @property
    def origin(self) -> str | None:
        """Returns what a browser sends as the origin of our own pages."""
        return None if self.public_url is None else "/".join(self.public_url.split("/")[:3]).lower()
