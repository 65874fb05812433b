"""Exceptions of the training package.

::

    BelowlineError
    └── TrainingError
        ├── MissingExtra      packages of the extra `train` are not installed
        ├── RecipeError       a recipe cannot be used
        ├── DataProblem       the data have a problem that the recipe forbids to train on
        ├── RunError          a run directory, a start or a base cannot be used
        ├── ParityError       an exported model differs too much from the trained one
        ├── ContenderError    a contender of a comparison cannot be scored
        └── TuneError         no thresholds can be proposed
"""

from belowline.model.errors import BelowlineError


class TrainingError(BelowlineError):
    """Base of the errors that ``belowline-train`` shows as one line."""


class MissingExtra(TrainingError):
    """Packages of the extra ``train`` are not installed."""


class RecipeError(TrainingError):
    """A recipe cannot be used; the message names file and field."""


class DataProblem(TrainingError):
    """The recipe forbids to train on such data; the message names the problem and the file that lists the rows."""


class RunError(TrainingError):
    """A run directory, the weights to start from, or a base cannot be used; the message says why and what to do."""


class ParityError(TrainingError):
    """An exported model differs too much from the trained one; nothing was written."""


class ContenderError(TrainingError):
    """A contender cannot be scored; the message says which, why and what to do."""


class TuneError(TrainingError):
    """No thresholds can be proposed; the message is one line."""
