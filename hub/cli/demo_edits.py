"""What people do to both systems while nobody looks, and what the next sync must make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.cli.demo_lab import FXIAOKE, ZOHO, Lab
from hub.cli.demo_truth import Living, Truth, living
from hub.kernel.errors import Text

CONTACTS, ACCOUNT_OBJ = "Contacts", "AccountObj"
PARTNER = "5"
SERVICE_ONLY, GRANTED = "option2", "option1"
Fact = tuple[str, str]
"""What became of something: (word, canonical field or system)."""


@dataclass(frozen=True, slots=True)
class Change:
    """Is one thing that people did: where it can be found again, and the facts it must lead to."""

    key: str
    said: Text
    system: str
    object: str
    native_id: str
    expected: frozenset[Fact]
    fresh: bool = False
    """Whether the record was made by the change."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Is one retail customer who stands in both systems."""

    person: str
    here: Living
    there: Living


class Editors:
    """Plays the staff of the bank in both vendors' screens, past the APIs that the hub uses."""

    def __init__(self, lab: Lab, truth: Truth) -> None:
        self._zoho, self._fxiaoke = lab.simulators[ZOHO].admin, lab.simulators[FXIAOKE].admin
        self._truth = truth
        self._pairs = _pairs(lab, truth)

    def work(self) -> list[Change]:
        """Does everything once and returns it in order."""
        return [
            self._disjoint(),
            self._clash(),
            self._refused(),
            self._loosened(),
            self._delete(),
            self._new_in_zoho(),
            self._new_in_fxiaoke(),
        ]

    def _disjoint(self) -> Change:
        pair = self._take(lambda zoho, fxiaoke: bool(zoho["Mailing_Zip"]))
        self._edit_zoho(pair, Mailing_Zip="100099")
        self._edit_fxiaoke(pair, need_summary__c="想了解大额存单")
        said = Text("one customer: postal code in Zoho, needs in Fxiaoke", "同一客户：Zoho 改邮编，纷享销客改需求摘要")
        return _change("disjoint", said, pair, ("merged", "postal_code"), ("merged", "need_summary"))

    def _clash(self) -> Change:
        pair = self._take(lambda zoho, fxiaoke: bool(zoho["Mobile"]))
        self._edit_zoho(pair, Mobile="+8619912340001")
        self._edit_fxiaoke(pair, tel="19912340002")
        said = Text("one customer: two different new mobile numbers", "同一客户：两侧各改成不同的手机号")
        return _change("conflict", said, pair, ("conflict", "mobile_phone"))

    def _refused(self) -> Change:
        pair = self._take(lambda zoho, fxiaoke: zoho["Lead_Source"] not in (None, "Partner"))
        message = "来源为“合作机构”的客户须先登记"
        rule = {"object": ACCOUNT_OBJ, "field": "account_source", "values": [PARTNER], "refuse": message}
        self._fxiaoke.post("rules", {"rules": [rule]})
        self._edit_zoho(pair, Lead_Source="Partner", Short_Name="合作渠道")
        said = Text(
            "Zoho: source “Partner” and a short name; a rule of Fxiaoke forbids that source",
            "Zoho 改来源并填简称；对方规则禁止该来源",
        )
        return _change("refused", said, pair, ("quarantine", "customer_source"), ("merged", "short_name"))

    def _loosened(self) -> Change:
        pair = self._take(lambda zoho, fxiaoke: fxiaoke.get("contact_consent__c") == SERVICE_ONLY)
        self._edit_fxiaoke(pair, contact_consent__c=GRANTED)
        said = Text("Fxiaoke: consent from “service only” to “granted”", "纷享销客把联系授权由“仅服务类”放宽为“同意”")
        return _change("consent", said, pair, ("hold", "contact_consent"))

    def _delete(self) -> Change:
        pair = self._take(lambda zoho, fxiaoke: True)
        self._zoho.post("delete", {"object": CONTACTS, "id": pair.here.native_id})
        said = Text("Zoho: a customer deleted", "Zoho 删除一位客户")
        return _change("delete", said, pair, ("detach", ZOHO))

    def _new_in_zoho(self) -> Change:
        fields = {
            "Last_Name": "欧阳",
            "First_Name": "新户",
            "Mobile": "+8619912340003",
            "Customer_Kind": "个人",
            "Contact_Consent": "未知",
        }
        made = str(self._zoho.post("create", {"object": CONTACTS, "fields": fields})["id"])
        self._truth.add("new-in-zoho", {ZOHO: made})
        said = Text("Zoho: a new customer", "Zoho 新建一位客户")
        return Change("new_zoho", said, ZOHO, CONTACTS, made, frozenset({("create", FXIAOKE)}), fresh=True)

    def _new_in_fxiaoke(self) -> Change:
        fields = {"name": "诸葛新户", "tel": "19912340004", "account_type": "1", "contact_consent__c": "option4"}
        made = str(self._fxiaoke.post("create", {"object": ACCOUNT_OBJ, "fields": fields})["id"])
        self._truth.add("new-in-fxiaoke", {FXIAOKE: made})
        said = Text("Fxiaoke: a new customer", "纷享销客新建一位客户")
        return Change("new_fxiaoke", said, FXIAOKE, ACCOUNT_OBJ, made, frozenset({("create", ZOHO)}), fresh=True)

    def lift_rule(self) -> None:
        """Takes the rule back, as the administrator of the refusing system does."""
        self._fxiaoke.post("rules", {"rules": []})

    def person_of(self, change: Change) -> str:
        return self._truth.people[change.system, change.native_id]

    def _take(self, fits: Callable[[dict[str, Any], dict[str, Any]], bool]) -> _Pair:
        """Takes the first customer that fits and was not taken before."""
        pair = next(item for item in self._pairs if fits(dict(item.here.row), dict(item.there.row)))
        self._pairs.remove(pair)
        return pair

    def _edit_zoho(self, pair: _Pair, **fields: Any) -> None:
        self._zoho.post("edit", {"object": CONTACTS, "id": pair.here.native_id, "fields": fields})

    def _edit_fxiaoke(self, pair: _Pair, **fields: Any) -> None:
        self._fxiaoke.post("edit", {"object": ACCOUNT_OBJ, "id": pair.there.native_id, "fields": fields})


def _pairs(lab: Lab, truth: Truth) -> list[_Pair]:
    seats: dict[str, dict[str, Living]] = {}
    for item in living(lab):
        person = truth.people.get((item.system, item.native_id))
        if person is not None and truth.difficulty[person] == "sure" and item.object in (CONTACTS, ACCOUNT_OBJ):
            seats.setdefault(person, {})[item.system] = item
    return [_Pair(who, two[ZOHO], two[FXIAOKE]) for who, two in sorted(seats.items()) if len(two) == 2]


def _change(key: str, said: Text, pair: _Pair, *expected: Fact) -> Change:
    return Change(key, said, ZOHO, CONTACTS, pair.here.native_id, frozenset(expected))
