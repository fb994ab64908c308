"""Chooses how a connection of kind zoho_crm reaches Zoho: our own client of API v8, or zcrmsdk (ADR 0002)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Connector, ConnectorContext
from connectors.regions import region_of
from connectors.zoho_crm.connector import ZohoCrmConnector
from connectors.zoho_crm.settings import ALLOWED_HOSTS, EVERY_DATA_CENTER, HOST_REGIONS


class Backends:
    """Makes the connector that the setting `backend` names. Raises SettingsInvalid."""

    allowed_hosts = ALLOWED_HOSTS

    @staticmethod
    def region(settings: Mapping[str, Any]) -> str:
        """Returns the data centre in which the configured addresses lie, by `connectors.regions`."""
        accounts, api = EVERY_DATA_CENTER.get(str(settings.get("data_center", "cn")), ("", ""))
        urls = (str(settings.get("accounts_url") or accounts), str(settings.get("api_url") or api))
        return region_of(urls, HOST_REGIONS)

    def __call__(self, settings: Mapping[str, Any], context: ConnectorContext) -> Connector:
        """Returns a connector of either backend."""
        if settings.get("backend") == "zcrmsdk":
            from connectors.zoho_crm.sdk_connector import ZohoSdkConnector

            return ZohoSdkConnector(settings, context)
        return ZohoCrmConnector(settings, context)


open_connector = Backends()
