"""The settings: one environment variable each, with its unit, default, bounds and help.

`load_settings` reads them once, at start. Each section in `sections` is the struct that its part
of the service takes.
"""

from service.settings.describe import SettingRow, describe
from service.settings.kinds import IssuerSettings
from service.settings.load import is_set, load_settings, unknown_variables
from service.settings.settings import Settings

__all__ = [
    "IssuerSettings",
    "SettingRow",
    "Settings",
    "describe",
    "is_set",
    "load_settings",
    "unknown_variables",
]
