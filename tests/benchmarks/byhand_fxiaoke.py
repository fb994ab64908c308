"""Translates Fxiaoke's customers by a function written for exactly that mapping; see `byhand`."""

from __future__ import annotations

from .byhand import (
    ByHand,
    Canonical,
    Native,
    back,
    chains,
    day_of_ms,
    email_of,
    instant_of_ms,
    line_of,
    mobile_of,
    name_of,
    phone_of,
    prose_of,
    rows,
    set_of,
    whole_of,
)

_KIND = back("individual=1 organization=2 sole_trader=3")
_GENDER = back("male=option1 female=option2 unknown=option3")
_TIER = back("private=1 vip=2 gold=3 standard=4")
_STAGE = back("prospect=option1 new=option2 loyal=option3 at_risk=option4 lost=option5")
_TAG = back(
    "高净值=tag01 活跃=tag02 理财偏好=tag03 房贷=tag04 代发工资=tag05 手机银行=tag06 信用卡=tag07 小微企业=tag08"
)
_CHANNEL = back(
    "phone=option1 visit=option2 counter=option3 video=option4 sms=option5 wechat=option6 email=option7 app=option8"
    " letter=option9 other=other"
)
_CONSENT = back("granted=option1 service_only=option2 withdrawn=option3 unknown=option4")
_SOURCE = back("walk_in=1 referral=2 campaign=3 online=4 partner=5 other=other")
_STATE = {"ineffective": "active", "under_review": "active", "normal": "active", "in_change": "active"}
_STATE |= {"invalid": "inactive"}


def fxiaoke() -> dict[str, ByHand]:
    """Returns the function for AccountObj, the tables loaded."""
    regions = chains("regions", "code", "fxiaoke_province", "fxiaoke_city", "fxiaoke_district")
    industries = chains("industries", "code", "fxiaoke_level1", "fxiaoke_level2")
    staff = {row["fxiaoke"]: row["staff_no"] for row in rows("staff") if row["fxiaoke"]}
    active = {row["staff_no"]: row["fxiaoke"] for row in rows("staff") if row["fxiaoke"] and row["active"] == "yes"}
    stand_in = active["S1099"]
    branches = {row["fxiaoke"]: row["branch_code"] for row in rows("branches") if row["fxiaoke"]}

    def only(held: list[str] | None) -> str | None:
        if not held:
            return None
        (one,) = held
        return one

    def owner(row: Native) -> str | None:
        held, noted = only(row["owner"]), row["staff_no__c"]
        if held is None:
            return None
        return str(noted) if held == stand_in and noted and noted not in active else staff[held]

    def customer(row: Native) -> Canonical:
        name, mobile, phone, email = row["name"], row["tel"], row["phone__c"], row["email"]
        place = (row["province"], row["city"], row["district"])
        trade = (row["industry_level1"], row["industry_level2"])
        tags, branch, street, state = (
            row["behavior_tags__c"],
            only(row["data_own_department"]),
            row["address"],
            row["life_status"],
        )
        made: Canonical = {
            "customer_kind": _KIND[row["account_type"]],
            "short_name": line_of(row["short_name__c"], 80),
            "gender": _GENDER[row["gender__c"]],
            "birth_date": day_of_ms(row["birth_date__c"]),
            "credit_code": line_of(row["uniform_social_credit_code"], 18),
            "address_region": regions[place] if place in regions else regions[tuple(cell or None for cell in place)],
            "postal_code": line_of(row["postal_code__c"], 10),
            "customer_tier": _TIER[row["account_level"]],
            "lifecycle_stage": _STAGE[row["lifecycle_stage__c"]],
            "behavior_tags": set_of([_TAG[tag] for tag in tags]) if tags else None,
            "need_summary": prose_of(row["need_summary__c"]),
            "preferred_channel": _CHANNEL[row["preferred_channel__c"]],
            "contact_consent": _CONSENT[row["contact_consent__c"]],
            "consent_changed_at": instant_of_ms(row["consent_changed_at__c"]),
            "next_follow_up_at": instant_of_ms(row["next_follow_up_at__c"]),
            "satisfaction_score": whole_of(row["satisfaction_score__c"], 1, 5),
            "customer_source": _SOURCE[row["account_source"]],
            "industry": industries[trade] if trade in industries else industries[tuple(cell or None for cell in trade)],
            "staff_no": owner(row),
            "branch_code": None if branch is None else branches[branch],
            "remark": prose_of(row["remark"]),
            "record_state": None if state is None else _STATE[state],
        }
        if name is None or "*" not in name:
            made["full_name"] = name_of(name, 200)
        if mobile is None or "*" not in mobile:
            made["mobile_phone"] = mobile_of(mobile) if mobile else None
        if phone is None or "*" not in phone:
            made["phone"] = phone_of(phone) if phone else None
        if email is None or "*" not in email:
            made["email"] = email_of(email) if email else None
        if street is None or "*" not in street:
            made["address_line"] = line_of(street, 250)
        return made

    return {"AccountObj": customer}
