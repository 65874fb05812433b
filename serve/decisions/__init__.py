"""What people decided, as training data: ``belowline decisions export``. DECISIONS.md has the format and the rules."""
