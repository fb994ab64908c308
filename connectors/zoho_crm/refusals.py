"""What each error of the accounts server means and what to do about it, in words.

The server answers a wrong data centre and a wrong id, secret or token alike, so each text says what to look at first.
Source: Zoho accounts OAuth error pages, Kaizen 43; which error a foreign data centre gives is known from third parties.
"""

from __future__ import annotations

import re

from connectors.errors import AuthRejected

CODE = "authorization_code"
_NAME = re.compile(r"[a-z_]{1,40}")
# Error, or error and grant -> what to replace, then what it means and what to do.
_MEANINGS: dict[str, tuple[str, str, str]] = {
    "invalid_code": (
        "refresh_token",
        "Zoho no longer accepts the refresh token (invalid_code). First authorise again with `crmhub connect {system}`:"
        " it was revoked, pushed out by newer ones, or belongs to another client id. If a new one is refused too, see "
        "that data_center ({dc}) is where the organisation lives",
        "Zoho 不再接受 refresh token（invalid_code）。请先用 `crmhub connect {system}` 重新授权：它可能已被撤销、"
        "被更新的令牌挤出，或属于其他 client id；如新令牌同样被拒，再核对 data_center（{dc}）是否为组织所在数据中心",
    ),
    f"invalid_code {CODE}": (
        "code",
        "Zoho does not accept the code (invalid_code): it is used up, older than its few minutes, or of another client."
        " Make a new one and run `crmhub connect {system}` at once. If that is refused too, see that it came from the "
        "console of data_center ({dc})",
        "Zoho 不接受该授权码（invalid_code）：已使用、已过有效期或属于其他客户端。请生成新码后"
        "立即运行 `crmhub connect {system}`；如仍被拒，请核对生成该码的控制台是否属于 data_center（{dc}）",
    ),
    "invalid_client": (
        "client_id, client_secret",
        "the sign-in host of data centre {dc} does not know this client (invalid_client). First see that data_center is"
        " where the client was registered: each has an API console of its own, this one {console}. Then client_id, "
        "then client_secret",
        "数据中心 {dc} 的登录主机不认识该客户端（invalid_client）。请先核对 data_center 是否为注册该客户端的数据中心"
        "（各有独立的 API 控制台，当前为 {console}），再核对 client_id，最后核对 client_secret",
    ),
    "invalid_client_secret": (
        "client_secret",
        "Zoho knows the client id and refuses the secret (invalid_client_secret). First see client_secret: it may have"
        " been renewed in {console}. Only a client registered in several data centres may have another secret in each: "
        "then see data_center ({dc})",
        "Zoho 认识该 client id，但拒绝密钥（invalid_client_secret）。请先核对 client_secret（可能已在 {console} "
        "更换）；仅当客户端在多个数据中心注册且密钥不同时，再核对 data_center（{dc}）",
    ),
    "invalid_redirect_uri": (
        "redirect_uri",
        "the address in redirect_uri is not the one registered with the client (invalid_redirect_uri): make both equal,"
        " to the last slash. A code of a Self Client goes without: `crmhub connect {system}` without --link",
        "redirect_uri 与客户端登记的回调地址不一致（invalid_redirect_uri），请改为完全相同（含末尾斜杠）。"
        "Self Client 的授权码不需要回调地址：运行 `crmhub connect {system}` 时不加 --link",
    ),
    "invalid_scope": (
        "scopes",
        "Zoho does not know one of the scopes, or does not offer it to this client (invalid_scope): correct `scopes`"
        " of {system}",
        "scopes 中有 Zoho 未知或不向该客户端提供的授权范围（invalid_scope），请更正 {system} 的 scopes",
    ),
    "missing_org_info": (
        "org_id",
        "Zoho does not find the organisation (missing_org_info): org_id must be its zgid, which Zoho CRM shows under "
        "Setup > Company Details, and the client must belong to it",
        "Zoho 找不到该组织（missing_org_info）：org_id 应为组织的 zgid（见 Zoho CRM 设置中的公司详情），"
        "且客户端须属于该组织",
    ),
}
_OTHER = (
    "Zoho refused the sign-in ({name}); check {name} against Zoho's OAuth errors, then client_id, client_secret "
    "and data_center ({dc}), and authorise again with `crmhub connect {system}`",
    "Zoho 拒绝登录（{name}）；请查阅 Zoho 的 OAuth 错误说明，并核对 client_id、client_secret 与 data_center（{dc}），"
    "然后用 `crmhub connect {system}` 重新授权",
)


def error_name(error: object) -> str:
    """Returns an error key as it may be shown: the vendor's name, or `unknown` for anything that is no plain name."""
    name = str(error).strip().lower().replace(" ", "_")
    return name if _NAME.fullmatch(name) else "unknown"


def refused(system: str, name: str, grant: str, data_center: str, console: str) -> AuthRejected:
    """Returns the error for a refused sign-in; `name` as of `error_name`, `grant` the grant type that was tried."""
    other = (name, *_OTHER)
    missing, en, zh = _MEANINGS.get(f"{name} {grant}") or _MEANINGS.get(name, other)
    values = {"system": system, "name": name, "dc": data_center, "console": console}
    return AuthRejected(
        f"{system}: {en.format(**values)}", f"{system}：{zh.format(**values)}", missing=missing, system=system
    )
