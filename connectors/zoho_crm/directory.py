"""The users of the organisation: who may own records, and who left. Source: Zoho API v8 get-users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.directory import Staff
from connectors.zoho_crm.answers import refusal, violation
from connectors.zoho_crm.calls import Api

_PAGE = 200
_ACTIVE = "active"


class UserDirectory:
    """Reads the users of one organisation."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def staff(self) -> Sequence[Staff]:
        """Returns every user, confirmed or not, active or not. Raises AuthRejected without ZohoCRM.users.READ."""
        found: dict[str, Staff] = {}
        page, more = 1, True
        while more:
            rows, more = self._page(page)
            fresh = {one.native_id: one for one in map(_staff, rows)}
            if more and not fresh.keys() - found.keys():
                raise violation(self._api.system, "users", "a page of users came twice", "用户列表重复返回同一页")
            found |= fresh
            page += 1
        return list(found.values())

    def _page(self, page: int) -> tuple[Sequence[Mapping[str, Any]], bool]:
        params = {"type": "AllUsers", "page": str(page), "per_page": str(_PAGE)}
        answer = self._api.get("/users", "users", params)
        if not answer.ok:
            raise refusal(answer, self._api.system, "users", "list users (ZohoCRM.users.READ)")
        if answer.content is None:
            return (), False
        content = answer.content if isinstance(answer.content, Mapping) else {}
        rows, notes = content.get("users"), content.get("info")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) and row.get("id") for row in rows):
            raise violation(self._api.system, "users", "the answer has no list of users", "返回缺少用户列表")
        return rows, isinstance(notes, Mapping) and notes.get("more_records") is True


def _staff(row: Mapping[str, Any]) -> Staff:
    return Staff(
        native_id=str(row["id"]),
        name=str(row["full_name"]) if row.get("full_name") else None,
        email=str(row["email"]) if row.get("email") else None,
        active=str(row.get("status", _ACTIVE)).lower() == _ACTIVE,
    )
