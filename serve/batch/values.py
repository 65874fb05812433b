"""Values of any type as JSON and as text."""

import json

from pydantic_core import PydanticSerializationError, to_json

from belowline.data.comment import whole


def json_bytes(value: object) -> bytes:
    """A value as JSON in UTF-8. What JSON cannot hold becomes null (NaN), text (times) or U+FFFD (lone surrogates)."""
    try:
        return to_json(value, inf_nan_mode="null", bytes_mode="base64", fallback=str)
    except (PydanticSerializationError, RecursionError):
        pass  # more than 255 levels, or a lone surrogate
    try:
        plain = json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
        return whole(json.dumps(plain, ensure_ascii=False, separators=(",", ":"))).encode()
    except RecursionError:
        return b"null"


def text_or_json(value: object) -> str | None:
    """A value as text: a string as it is, None for no value, everything else as JSON."""
    if value is None:
        return None
    return whole(value) if isinstance(value, str) else json_bytes(value).decode()
