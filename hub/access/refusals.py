"""How somebody at the door is refused: one answer for whatever is wrong, and it says nothing about accounts."""

from __future__ import annotations

from math import ceil

from hub.kernel.errors import HubError


class SignInRefused(HubError):
    """Is raised for whatever is wrong with what was brought: the name, the password, the code, or the account."""

    code = "HUB-SIGNIN-001"
    exit_code = 8

    def __init__(self) -> None:
        super().__init__(
            "the name, password or code is not right, or the account is closed for now; after five failures it is "
            "closed for 15 minutes, and the security administrator can give a new one-time code",
            "用户名、口令或验证码不正确，或账号暂不可用；连续失败五次将锁定 15 分钟，安全管理员可发放新的一次性口令",
        )


class TooSoon(HubError):
    """Is raised for an address from which many sign-ins failed; `after` is in seconds."""

    code = "HUB-SIGNIN-002"
    exit_code = 8

    def __init__(self, after: float) -> None:
        self.after = max(1, ceil(after))
        super().__init__(
            f"too many failed sign-ins from this address; wait {self.after} s",
            f"该地址登录失败过多；请等待 {self.after} 秒",
        )


class SessionEnded(HubError):
    """Is raised where nobody is signed in any more: left, idle, too old, replaced, or the person's roles changed."""

    code = "HUB-SIGNIN-003"
    exit_code = 8

    def __init__(self) -> None:
        super().__init__("sign in; the session has ended, or there was none", "请登录；会话已结束或不存在")


class StepRefused(HubError):
    """Is raised for an act that a session cannot do yet; `stage` says what it waits for."""

    code = "HUB-SIGNIN-005"
    exit_code = 8

    def __init__(self, stage: str) -> None:
        self.stage = stage
        super().__init__(f"this sign-in waits for another step: {stage}", f"该登录正等待其他步骤：{stage}")


class ProofAsked(HubError):
    """Is raised for an act that asks its person to prove once more to be there."""

    code = "HUB-SIGNIN-006"
    exit_code = 8

    def __init__(self) -> None:
        super().__init__(
            "prove that it is you: password and code again, then repeat this within five minutes",
            "请再次验证身份（口令和验证码），并在五分钟内重试",
        )


class ForeignPage(HubError):
    """Is raised for a change that no page of ours sent: its origin or its proof is missing or another's."""

    code = "HUB-SIGNIN-007"
    exit_code = 8

    def __init__(self) -> None:
        super().__init__(
            "refused: this request did not come from a page of this hub (Origin, X-CSRF-Token)",
            "已拒绝：请求并非来自本系统页面（Origin、X-CSRF-Token）",
        )
