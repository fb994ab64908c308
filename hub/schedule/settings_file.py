"""The settings file as a daemon watches it: an edit that holds asks to be read, one that does not is refused."""

from __future__ import annotations

from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import FILE, load_settings
from hub.operations.installation import Installation
from hub.telemetry import logger


class SettingsFile:
    """Is the file that a hub was opened by. Raises FileNotFoundError where it is gone already."""

    def __init__(self, hub: Installation) -> None:
        self._place, self._digest = hub.settings.home, hub.settings.digest
        self._stamp: tuple[int, int] | None = self._look()

    def changed(self) -> bool:
        """Tells whether the file was edited since the last look and holds; says once what is wrong with it if not."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            return load_settings(self._place).digest != self._digest
        except ConfigInvalid as invalid:
            logger("schedule").error("settings_refused", code=invalid.code, message=invalid.en)
        except FileNotFoundError:
            if self._stamp is not None:
                message = "config/hub.yaml is not there"
                logger("schedule").error("settings_refused", code=ConfigInvalid.code, message=message)
            self._stamp = None
        return False

    def _look(self) -> tuple[int, int]:
        status = (self._place / FILE).stat()
        return status.st_mtime_ns, status.st_size
