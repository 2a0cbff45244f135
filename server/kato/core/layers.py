"""How the layers of settings are combined: what is explicit, then the environment, then the file, then the defaults, key by key.

Rule: every value that is present must be valid, in every layer, also where a stronger layer overrides it; an unknown key
is refused with the nearest known one. An invalid value is never replaced by the default, unless the caller takes its error
(`kato doctor` and `kato config`, which report it).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from kato.core.errors import SettingsInvalid
from kato.core.setting_rules import POSITIVE_INTEGER
from kato.core.settings import BY_NAME, SECTIONS, TABLE, Key, Settings
from kato.core.text import nearest

#: Takes the error of a value, which is then left out.
OnInvalid = Callable[[SettingsInvalid], None]


class Layer(NamedTuple):
    """The values of a layer, by the names of fields of `Settings`; and the layer's name for people."""

    name: str
    values: Mapping[str, Any]


def refuse(error: SettingsInvalid) -> None:
    """Raises the error."""
    raise error


def resolve(
    *,
    explicit: Mapping[str, Any] | None,
    environment: Mapping[str, str],
    file: Mapping[str, Any] | None,
    file_name: str = "config.toml",
    explicit_name: str = "initializationOptions",
    unknown_provider: Callable[[str], str | None] = lambda _: None,
) -> Settings:
    """The settings in force. The names are for errors. `unknown_provider` gives the rule that the name of an assistant breaks, None
    for a known one.

    Raises SettingsInvalid that names the key, its rule, what was there and where.
    """
    found = [
        of_mapping(file, file_name, unknown_provider),
        *of_environment(environment),
        of_mapping(explicit, explicit_name, unknown_provider),
    ]
    return combine(found)


def combine(layers: "list[Layer]") -> Settings:
    """The settings in force. A later layer is stronger."""
    chosen: dict[str, Any] = {}
    for layer in layers:
        chosen |= layer.values
    return Settings(**chosen)


def of_mapping(
    given: Mapping[str, Any] | None,
    name: str,
    unknown_provider: Callable[[str], str | None],
    on_invalid: OnInvalid = refuse,
) -> Layer:
    """The layer of a file, or of what a client or the user gives explicitly."""
    values: dict[str, Any] = {}
    for key_name, value in _flat(given or {}, name, on_invalid).items():
        try:
            key = _known(key_name, value, name)
            checked = _check(key, value, name)
            if key.field == "provider_session_roots":
                _check_providers(checked, unknown_provider, name)
            values[key.field] = checked
        except SettingsInvalid as error:
            on_invalid(error)
    return Layer(name, values)


def of_environment(environment: Mapping[str, str], on_invalid: OnInvalid = refuse) -> "list[Layer]":
    """A layer for each variable."""
    layers = []
    for key in TABLE:
        if key.environment is None or (text := environment.get(key.environment)) is None:
            continue
        value: Any = int(text) if key.setting.rule is POSITIVE_INTEGER and _DIGITS.match(text) else text
        name = f"environment {key.environment}"
        try:
            layers.append(Layer(name, {key.field: _check(key, value, name)}))
        except SettingsInvalid as error:
            on_invalid(error)
    return layers


def _flat(given: Mapping[str, Any], origin: str, on_invalid: OnInvalid) -> dict[str, Any]:
    """`{"markdown": {"includeThinking": true}}` and `{"markdown.includeThinking": true}` are the same."""
    flat: dict[str, Any] = {}
    for name, value in given.items():
        nested = {name: value}
        if name in SECTIONS:
            if not isinstance(value, Mapping):
                on_invalid(SettingsInvalid(name, f"must be a table of {name}.* settings", value, origin))
                continue
            nested = {f"{name}.{inner}": item for inner, item in value.items()}
        for inner, item in nested.items():
            if inner in flat:
                on_invalid(SettingsInvalid(inner, "must be given once", item, origin))
            else:
                flat[inner] = item
    return flat


def _known(name: str, value: Any, origin: str) -> Key:
    key = BY_NAME.get(name)
    if key is None:
        near = nearest(name, BY_NAME)
        hint = f"; known are {', '.join(BY_NAME)}" if near is None else f"; did you mean {near}?"
        raise SettingsInvalid(name, f"is not a setting{hint}", value, origin)
    return key


def _check_providers(
    roots: Mapping[str, tuple[str, ...]], unknown_provider: Callable[[str], str | None], origin: str
) -> None:
    for name in roots:
        rule = unknown_provider(name)
        if rule is not None:
            raise SettingsInvalid("providerSessionRoots", f"must be {rule}", dict(roots), origin)


def _check(key: Key, value: Any, origin: str) -> Any:
    try:
        return key.check(value)
    except ValueError as error:
        detail = str(error)
        raise SettingsInvalid(key.name, f"must be {detail or key.rule}", value, origin) from None


_DIGITS: Final = re.compile(r"\A[1-9][0-9]{0,17}\Z")
