"""Translates Zoho's customers by functions written for exactly that mapping; see `byhand`."""

from __future__ import annotations

from .byhand import (
    CHINESE,
    MOST,
    ByHand,
    Canonical,
    Native,
    back,
    chains,
    day_of,
    email_of,
    instant_of,
    line_of,
    mobile_of,
    name_of,
    phone_of,
    prose_of,
    rows,
    set_of,
    whole_of,
)

_CONSENT = back("granted=同意 service_only=仅服务类 withdrawn=撤回 unknown=未知")
_TIER = back("private=私人银行 vip=贵宾 gold=金卡 standard=普通")
_STAGE = back("prospect=潜在客户 new=初次客户 loyal=忠诚客户 at_risk=流失预警 lost=流失客户")
_SOURCE = back("walk_in=Walk-in referral=Referral campaign=Campaign online=Online partner=Partner other=Other")
_LOYALTY = back("none=无 bronze=铜 silver=银 gold=金 diamond=钻石")
_GENDER = back("male=男 female=女 unknown=未知")
_KIND = back("individual=个人 sole_trader=个体工商户") | {None: "individual", "": "individual"}
_CHANNEL = back(
    "phone=Phone visit=Visit counter=Branch video=Video sms=SMS wechat=WeChat email=E-mail app=App letter=Letter"
    " other=Other"
)


def zoho() -> dict[str, ByHand]:
    """Returns the functions for Zoho's two modules, the tables loaded."""
    regions = chains("regions", "code", "province", "city", "district")
    industries = {row["zoho_crm"]: row["code"] for row in rows("industries") if row["zoho_crm"]}
    industries |= {None: None, "": None}  # type: ignore[dict-item]
    staff = {row["zoho_crm"]: row["staff_no"] for row in rows("staff") if row["zoho_crm"]}
    active = {row["staff_no"]: row["zoho_crm"] for row in rows("staff") if row["zoho_crm"] and row["active"] == "yes"}
    stand_in = active["S1099"]

    def region(*cells: str | None) -> str | None:
        return regions[cells] if cells in regions else regions[tuple(cell or None for cell in cells)]

    def owner(row: Native) -> str | None:
        held, noted = row["Owner"], row["Staff_No"]
        if held is None:
            return None
        if held["id"] == stand_in and noted and noted not in active:
            return str(noted)
        return staff[held["id"]]

    def shared(row: Native, mobile: str | None) -> Canonical:
        tags, phone = row["Tag"], row["Phone"]
        made: Canonical = {
            "short_name": line_of(row["Short_Name"], 80),
            "behavior_tags": set_of([tag["name"] for tag in tags]) if tags else None,
            "need_summary": prose_of(row["Need_Summary"]),
            "preferred_channel": _CHANNEL[row["Preferred_Channel"]],
            "consent_changed_at": instant_of(row["Consent_Changed_At"]),
            "next_follow_up_at": instant_of(row["Next_Follow_Up_At"]),
            "satisfaction_score": whole_of(row["Satisfaction_Score"], 1, 5),
            "loyalty_tier": _LOYALTY[row["Loyalty_Tier"]],
            "loyalty_points": whole_of(row["Loyalty_Points"], 0, MOST),
            "branch_code": line_of(row["Branch_Code"], 20),
            "staff_no": owner(row),
            "remark": prose_of(row["Description"]),
        }
        if mobile is None or "*" not in mobile:
            made["mobile_phone"] = mobile_of(mobile) if mobile else None
        if phone is None or "*" not in phone:
            made["phone"] = phone_of(phone) if phone else None
        return made

    def contact(row: Native) -> Canonical:
        last, first, email, street = row["Last_Name"], row["First_Name"], row["Email"], row["Mailing_Street"]
        made = shared(row, row["Mobile"])
        made["customer_kind"] = _KIND[row["Customer_Kind"]]
        if not (last and "*" in last) and not (first and "*" in first):
            family, given = name_of(last, 80), name_of(first, 80)
            if family is None or given is None:
                full = family or given
            elif CHINESE(family) and CHINESE(given):
                full = family + given
            else:
                full = f"{given} {family}"
            made["full_name"], made["family_name"], made["given_name"] = full, family, given
        made["customer_no"] = line_of(row["Customer_No"], 40)
        made["gender"] = _GENDER[row["Gender"]]
        made["birth_date"] = day_of(row["Date_of_Birth"])
        if email is None or "*" not in email:
            made["email"] = email_of(email) if email else None
        made["address_region"] = region(row["Mailing_State"], row["Mailing_City"], row["Mailing_District"])
        if street is None or "*" not in street:
            made["address_line"] = line_of(street, 250)
        made["postal_code"] = line_of(row["Mailing_Zip"], 10)
        made["customer_tier"] = _TIER[row["Customer_Tier"]]
        made["lifecycle_stage"] = _STAGE[row["Lifecycle_Stage"]]
        made["customer_source"] = _SOURCE[row["Lead_Source"]]
        made["contact_consent"] = "withdrawn" if row["Email_Opt_Out"] is True else _CONSENT[row["Contact_Consent"]]
        return made

    def account(row: Native) -> Canonical:
        name, email, street = row["Account_Name"], row["Customer_Email"], row["Billing_Street"]
        made = shared(row, row["Mobile_Phone"])
        made["customer_kind"] = "organization"
        if name is None or "*" not in name:
            made["full_name"] = name_of(name, 200)
        made["customer_no"] = line_of(row["Account_Number"], 40)
        made["credit_code"] = line_of(row["Credit_Code"], 18)
        if email is None or "*" not in email:
            made["email"] = email_of(email) if email else None
        made["address_region"] = region(row["Billing_State"], row["Billing_City"], row["Billing_District"])
        if street is None or "*" not in street:
            made["address_line"] = line_of(street, 250)
        made["postal_code"] = line_of(row["Billing_Code"], 10)
        made["customer_tier"] = _TIER[row["Rating"]]
        made["lifecycle_stage"] = _STAGE[row["Account_Type"]]
        made["customer_source"] = _SOURCE[row["Customer_Source"]]
        made["industry"] = industries[row["Industry"]]
        made["contact_consent"] = _CONSENT[row["Contact_Consent"]]
        return made

    return {"Contacts": contact, "Accounts": account}
