"""The audit of archives: ``belowline audit``. AUDIT.md says what it reads, does and writes."""
