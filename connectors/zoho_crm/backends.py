"""Chooses how a connection of kind zoho_crm reaches Zoho: our own client of API v8, or zcrmsdk (ADR 0002)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Connector, ConnectorContext
from connectors.zoho_crm.connector import ZohoCrmConnector
from connectors.zoho_crm.settings import ALLOWED_HOSTS


class Backends:
    """Makes the connector that the setting `backend` names. Raises SettingsInvalid."""

    allowed_hosts = ALLOWED_HOSTS

    def __call__(self, settings: Mapping[str, Any], context: ConnectorContext) -> Connector:
        """Returns a connector of either backend."""
        if settings.get("backend") == "zcrmsdk":
            from connectors.zoho_crm.sdk_connector import ZohoSdkConnector

            return ZohoSdkConnector(settings, context)
        return ZohoCrmConnector(settings, context)


open_connector = Backends()
