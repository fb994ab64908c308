"""What sealing and unsealing may raise; never a value, never a key, never why a blob failed to authenticate."""

from __future__ import annotations

from hub.kernel.errors import HubError, KeyUnusable
from hub.kernel.i18n import Bilingual


class EnvelopeBroken(HubError):
    """Is raised for every blob that does not open: altered, moved, cut, downgraded, or sealed under another key."""

    code = "HUB-SEAL-001"
    exit_code = 5

    def __init__(self, table: str = "", row_id: str = "") -> None:
        place = f"{table}/{row_id}" if table or row_id else "?"
        super().__init__(
            f"the sealed value of {place} does not open: it was altered, moved from another row, or sealed under "
            "another key; restore the row from a backup or re-read the record from its system",
            f"{place} 的密文无法打开：内容被改动、从别的行移来，或由其他密钥封存；"
            "请从备份恢复该行，或从源系统重新读取该记录",
        )


class SubjectKeyMissing(HubError):
    """Is raised when the key of a subject is not in the ring: not loaded yet, or destroyed by an erasure."""

    code = "HUB-SEAL-002"
    exit_code = 5

    def __init__(self, subject_id: str) -> None:
        super().__init__(
            f"the key of subject {subject_id} is not loaded; if the subject was erased its records stay unreadable, "
            "otherwise restore table subject_key from a backup",
            f"主体 {subject_id} 的密钥未载入；若该主体已被删除，其记录将保持不可读，否则请从备份恢复 subject_key 表",
        )


class NotSealable(HubError):
    """Is raised when a value is not JSON or an AAD part is out of range: it is our bug, nothing was written."""

    code = "HUB-SEAL-003"
    exit_code = 70

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"a value cannot be sealed: {reason}; nothing was written, report this as a defect",
            f"某个值无法封存（{reason}）；未写入任何内容，请作为缺陷上报",
        )


class WrongKey(KeyUnusable):
    """Is raised when a wrapped key does not unwrap: another key file, another context, or an altered row."""

    code = "HUB-KEY-006"

    def __init__(self, what: str = "a wrapped key") -> None:
        super().__init__(
            f"{what} does not unwrap with the configured key; use the key that made this store, "
            "or restore table crypto_key from a backup",
            f"用当前配置的密钥无法解开 {what}；请使用创建该存储时的密钥，或从备份恢复 crypto_key 表",
        )


class ProviderAway(KeyUnusable):
    """Is raised when the key provider has not answered for so long that the keys in memory were given up."""

    code = "HUB-KEY-009"

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(
            f"the key provider has been away for more than five minutes, so nothing is opened until it is back, and "
            f"then everything goes on by itself: {reason.en}",
            f"密钥来源超过五分钟不可用，在其恢复前不再解密，恢复后自动继续：{reason.zh}",
        )
