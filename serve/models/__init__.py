"""Which model serves: promotion, rollback, and a candidate beside the one in force. MODELS.md says how."""
