"""Other services' wire protocols, each a thin translation to the same calls of the service."""
