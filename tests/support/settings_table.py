"""The table of SETTINGS.md; ``python -m tests.support.settings_table`` prints it."""

from belowline.serve.settings import PREFIX, Settings


def settings_table() -> str:
    """The settings of the service as a Markdown table."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        code = "unset" if default is None or default == () else f"`{shown}`"
        rows.append(f"| `{PREFIX}{name.upper()}` | {code} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(settings_table(), end="")
