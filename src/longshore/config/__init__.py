"""The settings of a server: what there is, what each may be, and where a value came from when it is wrong.

A setting is named `section.key`. Its value is the flag's, else the variable's (`LONGSHORE_SECTION_KEY`), else the one
in `longshore.toml` (`[section]`, `key = ...`), else the default.
"""

from longshore.config.loading import CONFIG_FILE, CONFIG_VARIABLE, load_settings
from longshore.config.settings import SETTINGS, Declared, Settings, SettingsError

__all__ = [
    "CONFIG_FILE",
    "CONFIG_VARIABLE",
    "SETTINGS",
    "Declared",
    "Settings",
    "SettingsError",
    "load_settings",
]
