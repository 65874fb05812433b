"""Posted forms."""

from urllib.parse import parse_qs

from belowline.serve.http.errors import Problem, invalid_field

_MOST_FIELDS = 2000
_LONGEST = 4000


class Form:
    """The fields of a posted form, each with all its values; raises Problem if it cannot be read."""

    def __init__(self, body: bytes) -> None:
        try:
            sent = parse_qs(
                body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
            )
        except ValueError:  # UnicodeDecodeError is one
            raise Problem("malformed-body", "the form could not be read as UTF-8; send it again") from None
        # Browsers send line ends as CRLF, although nobody typed a CR.
        self._fields = {
            name: [value.replace("\r\n", "\n") for value in values] for name, values in sent.items()
        }

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def items(self) -> list[tuple[str, str]]:
        """All fields with all their values."""
        return [(name, value) for name, values in self._fields.items() for value in values]

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return self._fields.get(name, [])

    def first(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        return self._fields.get(name, [default])[0]

    def words(self, name: str) -> str | None:
        """The stripped text of a field, None if it is blank; raises Problem for one of more than 4,000 characters."""
        text = self.first(name).strip()
        if len(text) > _LONGEST:
            raise invalid_field(name, f"is longer than {_LONGEST:,} characters; shorten it")
        return text or None

    def numbers(self, name: str) -> list[int]:
        """All values of a field that holds ids; raises Problem for anything else."""
        values = self.all(name)
        if not all(value.isascii() and value.isdecimal() and len(value) < 10 for value in values):
            raise Problem("invalid-request", f"the form's {name} must be a number; open the page again")
        return [int(value) for value in values]

    def number(self, name: str) -> int:
        """The number in a field; raises Problem if there is none."""
        values = self.numbers(name)
        if not values:
            raise Problem("invalid-request", f"the form lacks its {name}; open the page again")
        return values[0]

    def optional_number(self, name: str) -> int | None:
        """The number in a field, None if the field is empty."""
        return self.number(name) if self.first(name) else None
