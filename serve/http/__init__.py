"""Parts that routes share: keys, errors, schemas, the service of a request."""
