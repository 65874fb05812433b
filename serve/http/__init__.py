"""Parts that routes share: authentication, errors, schemas, the service of a request."""
