"""Exceptions of the training package.

::

    BelowlineError
    └── TrainingError
        ├── RecipeError
        ├── DataProblem
        ├── RunError
        ├── ParityError
        ├── ContenderError
        └── TuneError
"""

from belowline.model.errors import BelowlineError


class TrainingError(BelowlineError):
    """Base of the errors of this package; each message is one line that says what to do."""


class RecipeError(TrainingError):
    """A recipe cannot be used; the message names file and field."""


class DataProblem(TrainingError):
    """The recipe forbids to train on such data; the message names the problem and the file that lists the rows."""


class RunError(TrainingError):
    """A run directory, the weights to start from, or a base cannot be used."""


class ParityError(TrainingError):
    """An exported model differs too much from the trained one; nothing was written."""


class ContenderError(TrainingError):
    """A contender of a comparison cannot be scored."""


class TuneError(TrainingError):
    """No thresholds can be proposed."""
