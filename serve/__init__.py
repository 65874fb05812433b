"""The service, its page and queue, the command ``belowline``, and the audit of whole archives.

Its errors are children of ``belowline.model.BelowlineError``, each in the room that raises it::

    BelowlineError
    ├── SettingsError         settings               a setting is missing, malformed or unsafe
    ├── Problem               http.errors            a request gets an HTTP error; also an HTTPException
    ├── Refusal               store.refusal          a change is not allowed now; over HTTP it becomes a Problem
    ├── StoreError            store.database         the database cannot be reached or used
    ├── QueueFull             scoring.score_queue    too many comments wait for the model
    ├── ScoreQueueClosed      scoring.score_queue    the service is shutting down
    ├── PromotionRefused      active.promotion       a model is not promoted; the active one stays
    ├── ServerError           server.run             the service cannot listen
    ├── WorkerError           server.workers         worker processes cannot start
    ├── Undeliverable         webhooks.sender        a webhook delivery failed
    ├── WordPressError        wordpress.client       WordPress cannot be used
    ├── WriteError            batch.write            a file of results cannot be written
    ├── ExportError           training_data.export   decisions cannot be exported
    ├── DemoError             demo.command           the demo cannot have the store that was named
    └── AuditError            audit.errors           an audit, or its sample, review or queueing, failed
"""
